import { describe, expect, it } from "vitest";
import { bandOf, extent, linear, pathOf, thinned, ticks } from "./scale";

describe("a linear scale", () => {
  it("maps the ends of its domain to the ends of its range, also downwards", () => {
    const y = linear([0, 1], [100, 20]);
    expect([y(0), y(0.5), y(1)]).toEqual([100, 60, 20]);
  });
  it("puts a single value in the middle", () => expect(linear([3, 3], [0, 10])(3)).toBe(5));
});

describe("ticks", () => {
  it.each([
    [[0, 1], [0, 0.5, 1], 2],
    [[0, 12000], [0, 5000, 10000], 3],
    [[0.41, 0.79], [0.5, 0.6, 0.7], 4],
    [[-1, 1], [-1, 0, 1], 2],
  ] as const)("of %j are %j", (domain, expected, wanted) => expect(ticks(domain, wanted)).toEqual(expected));
  it("of nothing wide is that one value", () => expect(ticks([2, 2])).toEqual([2]));
});

describe("extent", () => {
  it("ignores what is no number", () => expect(extent([null, 2, Number.NaN, 5, undefined])).toEqual([2, 5]));
  it("is null of nothing", () => expect(extent([null])).toBeNull());
  it("is widened where all are equal", () => expect(extent([10, 10])).toEqual([9, 11]));
});

describe("paths", () => {
  const x = linear([0, 1], [0, 100]);
  const y = linear([0, 1], [100, 0]);
  const points = [
    { x: 0, y: 0 },
    { x: 0.5, y: 1 },
  ];
  it("go straight from point to point", () => expect(pathOf(points, x, y)).toBe("M0,100L50,0"));
  it("hold the value until the next x where they are stepped", () =>
    expect(pathOf(points, x, y, true)).toBe("M0,100H50V0"));
  it("close a band below", () =>
    expect(
      bandOf(
        [
          { x: 0, low: 0, high: 1 },
          { x: 1, low: 0, high: 1 },
        ],
        x,
        y,
      ),
    ).toBe("M0,0L100,0L100,100L0,100Z"));
});

it("thins long series and keeps both ends", () => {
  const many = Array.from({ length: 1001 }, (_, i) => i);
  const few = thinned(many, 11);
  expect(few).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
  expect(thinned([1, 2], 11)).toEqual([1, 2]);
});
