import { describe, expect, test } from "vitest";
import { drawn } from "./drawing";
import { handlesOf, moveHandle } from "./handles";
import { contains, distanceToOutline, handleAt, hit } from "./hits";
import { displayPoint, imagePoint } from "./points";
import { boundsOf, lengthPx, movedBy, type Shape } from "./shapes";
import { fitScale, oneToOne, pan, placeBox, resized, toDisplay, toImage, type View, zoomAt } from "./view";

const SIZE = { cols: 400, rows: 600 };
const view = (more: Partial<View> = {}): View => ({
  centre: imagePoint(200, 300),
  scale: 0.5,
  mirror: { x: false, y: false },
  pane: { width: 300, height: 400 },
  ...more,
});

describe("image px and display px", () => {
  const mirrors = [
    { x: false, y: false },
    { x: true, y: false },
    { x: false, y: true },
    { x: true, y: true },
  ];

  test.each(mirrors)("are inverse for mirror %j", (mirror) => {
    const placed = view({ mirror, scale: 0.3717, centre: imagePoint(123.456, 789.012) });
    for (const p of [imagePoint(0, 0), imagePoint(399.5, 0.25), imagePoint(17.123456789, 598)]) {
      const [x, y] = toImage(toDisplay(p, placed), placed);
      expect(Math.hypot(x - p[0], y - p[1])).toBeLessThan(1e-9);
    }
  });

  // trap 10
  test("a mirrored image runs from right to left on the screen, and its pixels stay as stored", () => {
    const [left] = toDisplay(imagePoint(0, 0), view({ mirror: { x: true, y: false } }));
    const [right] = toDisplay(imagePoint(400, 0), view({ mirror: { x: true, y: false } }));
    expect([left, right]).toEqual([250, 50]);
  });

  test.each(mirrors)("the point under the pointer stays there on zoom, mirror %j", (mirror) => {
    const at = displayPoint(37, 311);
    const before = toImage(at, view({ mirror }));
    const after = toImage(at, zoomAt(view({ mirror }), 3.7, at));
    expect(after[0]).toBeCloseTo(before[0], 9);
    expect(after[1]).toBeCloseTo(before[1], 9);
  });

  test.each(mirrors)("the picture follows the hand, mirror %j", (mirror) => {
    const [x, y] = toDisplay(imagePoint(10, 10), view({ mirror }));
    const moved = toDisplay(imagePoint(10, 10), pan(view({ mirror }), 5, -7));
    expect(moved[0]).toBeCloseTo(x + 5, 9);
    expect(moved[1]).toBeCloseTo(y - 7, 9);
  });

  test("1:1 is one image pixel on one device pixel", () => {
    expect(oneToOne(view(), 2, displayPoint(0, 0)).scale).toBeCloseTo(0.5);
    expect(oneToOne(view(), 1, displayPoint(0, 0)).scale).toBeCloseTo(1);
  });

  test("a pane that grows keeps the middle", () => {
    const grown = resized(view(), { width: 600, height: 800 });
    expect(toDisplay(imagePoint(200, 300), grown)).toEqual([300, 400]);
    expect(grown.scale).toBe(1);
  });
});

describe("chest walls", () => {
  const pane = { width: 300, height: 400 };
  const box = [50, 0, 250, 600] as const;

  test("a right breast touches the right edge of its pane, a left one the left", () => {
    const scale = fitScale(box, pane);
    const right = placeBox(box, pane, scale, { x: false, y: false }, "right");
    const left = placeBox(box, pane, scale, { x: false, y: false }, "left");
    expect(toDisplay(imagePoint(250, 0), right)[0]).toBeCloseTo(300);
    expect(toDisplay(imagePoint(50, 0), left)[0]).toBeCloseTo(0);
  });

  test("a mirrored one too, by its other edge", () => {
    const placed = placeBox(box, pane, fitScale(box, pane), { x: true, y: false }, "right");
    expect(toDisplay(imagePoint(50, 0), placed)[0]).toBeCloseTo(300);
  });
});

describe("drawing", () => {
  const stroke = [imagePoint(100, 200), imagePoint(130, 240)];

  test("a box spans the stroke, whichever way it was drawn", () => {
    const forth = drawn("box", stroke, SIZE, 1);
    expect(forth).toEqual({ kind: "box", geometry: [100, 200, 130, 240] });
    expect(drawn("box", [...stroke].reverse(), SIZE, 1)).toEqual(forth);
  });

  test("an ellipse fills the box, a circle grows from its centre", () => {
    expect(drawn("ellipse", stroke, SIZE, 1)).toEqual({ kind: "ellipse", geometry: [115, 220, 15, 20, 0] });
    expect(drawn("circle", stroke, SIZE, 1)).toEqual({ kind: "circle", geometry: [100, 200, 50] });
  });

  // trap 8
  test("nothing is rounded", () => {
    const fine = [imagePoint(1.0000001, 2.25), imagePoint(9.123456789012, 12.5)];
    expect(drawn("box", fine, SIZE, 1)?.geometry).toEqual([1.0000001, 2.25, 9.123456789012, 12.5]);
  });

  test("a click is no mark", () => {
    expect(drawn("box", [imagePoint(5, 5), imagePoint(5.5, 5)], SIZE, 4)).toBeNull();
  });

  test("a box and a polygon stay in the image", () => {
    expect(drawn("box", [imagePoint(-20, 10), imagePoint(500, 50)], SIZE, 1)?.geometry).toEqual([
      0, 10, 400, 50,
    ]);
    const wide = [imagePoint(390, 10), imagePoint(450, 10), imagePoint(450, 90), imagePoint(390, 90)];
    expect(drawn("polygon", wide, SIZE, 1)?.geometry).toEqual([
      [
        [390, 10],
        [400, 10],
        [400, 90],
        [390, 90],
      ],
    ]);
  });

  test("a polygon repeats no point and closes round something", () => {
    const ring = [
      imagePoint(0, 0),
      imagePoint(20, 0),
      imagePoint(20, 0),
      imagePoint(20, 20),
      imagePoint(0, 0),
    ];
    expect(drawn("polygon", ring, SIZE, 1)?.geometry).toEqual([
      [
        [0, 0],
        [20, 0],
        [20, 20],
      ],
    ]);
    expect(drawn("polygon", [imagePoint(0, 0), imagePoint(10, 0), imagePoint(20, 0)], SIZE, 1)).toBeNull();
  });
});

const SHAPES: Shape[] = [
  { kind: "box", geometry: [100, 100, 140, 160] },
  { kind: "ellipse", geometry: [120, 130, 20, 30, 0] },
  { kind: "ellipse", geometry: [120, 130, 20, 30, 37] },
  { kind: "circle", geometry: [120, 130, 25] },
  {
    kind: "polygon",
    geometry: [
      [
        [100, 100],
        [140, 100],
        [140, 160],
        [100, 160],
      ],
    ],
  },
];

describe.each(SHAPES)("a $kind $geometry", (shape) => {
  test("holds its centre and not the corner of the image", () => {
    expect(contains(shape, imagePoint(120, 130))).toBe(true);
    expect(contains(shape, imagePoint(1, 1))).toBe(false);
  });

  test("has its handles on its line and each can be found", () => {
    for (const [i, handle] of handlesOf(shape).entries()) {
      expect(distanceToOutline(shape, handle)).toBeLessThan(0.1);
      expect(handleAt(shape, handle, 2)).toBe(i);
    }
  });

  test("a handle that is pulled is where it was pulled to", () => {
    const to =
      shape.kind === "ellipse" ? (handlesOf(shape)[0] as readonly [number, number]) : imagePoint(150, 171);
    const pulled = moveHandle(shape, 0, to, SIZE);
    const near = Math.min(...handlesOf(pulled).map(([x, y]) => Math.hypot(x - to[0], y - to[1])));
    expect(shape.kind === "circle" ? distanceToOutline(pulled, to) : near).toBeLessThan(1e-9);
  });

  test("moves and comes back", () => {
    const there = movedBy(shape, 13.5, -7.25, SIZE);
    expect(boundsOf(movedBy(there, -13.5, 7.25, SIZE)).map((v) => Math.round(v * 1e6) / 1e6)).toEqual(
      boundsOf(shape).map((v) => Math.round(v * 1e6) / 1e6),
    );
  });

  test("cannot be moved out of the image", () => {
    const [x0, y0, x1, y1] = boundsOf(movedBy(shape, -1e6, 1e6, SIZE));
    expect((x0 + x1) / 2).toBeGreaterThanOrEqual(-1e-9);
    expect((y0 + y1) / 2).toBeLessThanOrEqual(SIZE.rows + 1e-9);
  });
});

test("a pulled box never turns inside out", () => {
  const box: Shape = { kind: "box", geometry: [10, 10, 20, 20] };
  expect(moveHandle(box, 0, imagePoint(30, 40), SIZE).geometry).toEqual([20, 20, 30, 40]);
});

test("a turned ellipse has the bounds of its outline", () => {
  const [x0, , x1] = boundsOf({ kind: "ellipse", geometry: [0, 0, 10, 20, 90] });
  expect([x0, x1]).toEqual([-20, 20]);
  expect(lengthPx({ kind: "ellipse", geometry: [0, 0, 10, 20, 90] })).toBe(40);
});

test("a click means the line in reach, else the smallest shape round it", () => {
  const big = { id: "big", shape: { kind: "circle", geometry: [100, 100, 80] } as Shape, areaPx: 20106 };
  const small = { id: "small", shape: { kind: "circle", geometry: [100, 100, 20] } as Shape, areaPx: 1257 };
  expect(hit([big, small], imagePoint(100, 100), 4)?.id).toBe("small");
  expect(hit([big, small], imagePoint(100, 150), 4)?.id).toBe("big");
  expect(hit([big, small], imagePoint(181, 100), 4)?.id).toBe("big");
  expect(hit([big, small], imagePoint(300, 300), 4)).toBeNull();
});
