import { expect, it } from "vitest";
import { groupsOf, ranges } from "./groups";

const item = (n: number, code: string) => ({
  n,
  state: "rejected",
  code,
  sentence: `${code}.`,
  cure: "Do.",
  bytes: 1,
});

it("groups rejected files by why, the most frequent first", () => {
  const groups = groupsOf([item(1, "b"), item(2, "a"), item(4, "a")]);
  expect(groups.map((g) => [g.code, g.numbers])).toEqual([
    ["a", [2, 4]],
    ["b", [1]],
  ]);
  expect(groups[0]?.sentence).toBe("a.");
});

it("writes numbers as ranges", () => {
  expect(ranges([3, 1, 2, 7, 9, 10])).toBe("1–3, 7, 9–10");
  expect(ranges([])).toBe("");
});
