import { expect, it } from "vitest";
import { change, comparison, findingsIn } from "./compare";
import { numberOf } from "./find";

const NOTHING = {
  exams: 0,
  patients: 0,
  images: 0,
  normal_exams: 0,
  findings: {},
  density: {},
  splits: {},
};

it("lists what changed since the last snapshot, also what is new or gone", () => {
  const lines = comparison(
    { ...NOTHING, exams: 10, findings: { mass: 4 }, density: { a: 2 } },
    { ...NOTHING, exams: 12, findings: { mass: 4, calcification: 1 } },
  );
  const line = (name: string) => lines.find((l) => l.name === name);
  expect(line("exams")).toEqual({ name: "exams", before: 10, after: 12 });
  expect(lines.map((l) => [l.name, change(l)])).toContainEqual(["finding: calcification", "+1"]);
  expect(lines.map((l) => [l.name, change(l)])).toContainEqual(["finding: mass", "="]);
  expect(lines.map((l) => [l.name, change(l)])).toContainEqual(["density: a", "-2"]);
});

it("compares with nothing where there is no earlier snapshot", () => {
  expect(comparison(null, { ...NOTHING, exams: 3 })[0]).toEqual({ name: "exams", before: null, after: 3 });
  expect(change({ name: "exams", before: null, after: 3 })).toBe("");
});

it("adds up findings of all types", () => {
  expect(findingsIn({ findings: { mass: 4, asymmetry: 2 } })).toBe(6);
  expect(findingsIn(NOTHING)).toBe(0);
});

it("reads v4 and 4 as a number, and leaves ids alone", () => {
  expect(numberOf("v4")).toBe(4);
  expect(numberOf("4")).toBe(4);
  expect(numberOf("0192f3c1-aaaa")).toBeNull();
});
