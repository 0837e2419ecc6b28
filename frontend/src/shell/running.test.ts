import { expect, it } from "vitest";
import { shareOfAll } from "./running";

it("says how far all jobs are together, those that have not begun included", () => {
  expect(
    shareOfAll([
      { done: 1, total: 2 },
      { done: 0, total: null },
    ]),
  ).toBe(0.25);
});

it("says nothing while no job knows its whole", () => {
  expect(shareOfAll([{ done: 3, total: null }])).toBeNull();
  expect(shareOfAll([])).toBeNull();
});
