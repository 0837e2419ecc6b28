import { expect, it } from "vitest";
import { parseSort, sorted, sortText, turned } from "./sorting";

it("keeps an order in the address and reads it back", () => {
  expect(parseSort("-score")).toEqual({ key: "score", down: true });
  expect(sortText(parseSort("-score"))).toBe("-score");
  expect(sortText(parseSort("label"))).toBe("label");
  expect(parseSort("")).toBeNull();
});

it("turns up, down, and back to how the rows came", () => {
  const up = turned(null, "n");
  expect(up).toEqual({ key: "n", down: false });
  const down = turned(up, "n");
  expect(down).toEqual({ key: "n", down: true });
  expect(turned(down, "n")).toBeNull();
  expect(turned(down, "m")).toEqual({ key: "m", down: false });
});

it("orders names with numbers as people do", () => {
  expect(sorted(["L-10", "L-9", "l-1"], (x) => x, false)).toEqual(["l-1", "L-9", "L-10"]);
});

it("leaves what has no value at the end, in either direction", () => {
  const rows = [{ n: null }, { n: 2 }, { n: 1 }, { n: Number.NaN }];
  expect(sorted(rows, (r) => r.n, false).map((r) => r.n)).toEqual([1, 2, null, Number.NaN]);
  expect(sorted(rows, (r) => r.n, true).map((r) => r.n)).toEqual([2, 1, null, Number.NaN]);
});
