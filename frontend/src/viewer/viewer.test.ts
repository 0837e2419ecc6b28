import { describe, expect, test } from "vitest";
import { contentBox, valueRange } from "./content";
import { headerForViewer } from "./metadata";
import { dragged, greyOf, rangeOf, type Shading } from "./voi";
import { waysToLook } from "./windows";

const shading = (more: Partial<Shading> = {}): Shading => ({
  center: 2048,
  width: 4096,
  function: "LINEAR",
  table: null,
  inverted: false,
  name: null,
  ...more,
});

describe("values become grey as DICOM PS3.3 C.11.2.1 says", () => {
  // trap 2
  test("LINEAR: the standard's own example, centre 2048 width 4096", () => {
    expect(rangeOf(shading())).toEqual({ lower: 0, upper: 4095 });
    expect(greyOf(0, shading(), "MONOCHROME2")).toBe(0);
    expect(greyOf(4095, shading(), "MONOCHROME2")).toBe(1);
    expect(greyOf(2047.5, shading(), "MONOCHROME2")).toBe(0.5);
  });

  test("LINEAR: a width of 1 is a threshold", () => {
    const narrow = shading({ center: 100, width: 1 });
    expect([99.4, 99.6].map((value) => greyOf(value, narrow, "MONOCHROME2"))).toEqual([0, 1]);
  });

  // trap 2
  test("LINEAR_EXACT: half a width to each side", () => {
    expect(rangeOf(shading({ function: "LINEAR_EXACT" }))).toEqual({ lower: 0, upper: 4096 });
  });

  // trap 2
  test("SIGMOID: half at the centre and the slope of its formula", () => {
    const sigmoid = shading({ function: "SIGMOID" });
    expect(greyOf(2048, sigmoid, "MONOCHROME2")).toBe(0.5);
    expect(greyOf(2048 + 1024, sigmoid, "MONOCHROME2")).toBeCloseTo(1 / (1 + Math.exp(-1)), 12);
  });

  test.each([
    ["12 bit", 4095],
    ["16 bit", 65535],
  ])("MONOCHROME1 is inverted once and last, %s", (_, top) => {
    const [all] = waysToLook({ windows: [], voiFunction: "LINEAR", tables: [] }, [0, top]) as [Shading];
    expect(greyOf(0, all, "MONOCHROME1")).toBe(1);
    expect(greyOf(top, all, "MONOCHROME1")).toBe(0);
    expect(greyOf(top, { ...all, inverted: true }, "MONOCHROME1")).toBe(1);
  });

  test("a drag never makes a window of no width", () => {
    expect(dragged(shading({ width: 10 }), -1e6, 0).width).toBeGreaterThanOrEqual(1);
  });
});

describe("the breast in its image", () => {
  const size = { cols: 160, rows: 240 };
  const pixels = new Uint16Array(size.cols * size.rows);
  for (let y = 40; y < 200; y++) for (let x = 80; x < 160; x++) pixels[y * size.cols + x] = 1000;

  test("is found without the black beside it", () => {
    expect(contentBox(pixels, size, (value) => value > 100)).toEqual([80, 40, 160, 200]);
  });

  test("is found in a smaller level, too", () => {
    const small = new Uint16Array(40 * 60);
    for (let y = 10; y < 50; y++) for (let x = 20; x < 40; x++) small[y * 40 + x] = 1000;
    expect(contentBox(small, { cols: 40, rows: 60 }, (value) => value > 100, 2)).toEqual([20, 10, 40, 50]);
  });

  test("a letter in a corner is not breast", () => {
    const marked = pixels.slice();
    for (let y = 8; y < 16; y++) for (let x = 8; x < 16; x++) marked[y * size.cols + x] = 4000;
    expect(contentBox(marked, size, (value) => value > 100)).toEqual([80, 40, 160, 200]);
  });

  test("a picture with too little of a breast in it is shown whole", () => {
    const pattern = new Uint16Array(pixels.length);
    for (let y = 40; y < 60; y++) for (let x = 80; x < 100; x++) pattern[y * size.cols + x] = 1000;
    expect(contentBox(pattern, size, (value) => value > 100)).toEqual([0, 0, 160, 240]);
  });

  test("a picture of nothing is shown whole", () => {
    expect(contentBox(new Uint16Array(pixels.length), size, (value) => value > 100)).toEqual([
      0, 0, 160, 240,
    ]);
  });

  test("its values reach from the least to the greatest", () => {
    expect(valueRange(new Int16Array([-5, 0, 0, 0, 7, 0, 0, 0]))).toEqual([-5, 7]);
  });
});

// trap 6, 9
test("the library gets the size of the level, no spacing and no plane: one unit of its world is one stored pixel", () => {
  const header = headerForViewer(
    { "00280010": { Value: [4096] }, "00280030": { Value: [0.07, 0.07] }, "00200037": {}, "00283010": {} },
    { rows: 1024, cols: 800 },
  );
  expect(header).toEqual({
    "00280010": { vr: "US", Value: [1024] },
    "00280011": { vr: "US", Value: [800] },
  });
});
