import { describe, expect, test } from "vitest";
import { displayPoint, imagePoint } from "../geometry/points";
import type { PlacedMark } from "../reading/document";
import { begun, continued, type Press, shapeSoFar } from "./gestures";

const SIZE = { cols: 1000, rows: 1000 };
const box: PlacedMark = {
  id: "m1",
  findingId: "f1",
  number: 1,
  finding: { type: "mass", birads: null, laterality: "R", order: 1, marks: {} },
  mark: { image_id: "i", frame: 1, provenance: "human", kind: "box", geometry: [100, 100, 200, 200] },
};
const press = (more: Partial<Press>): Press => ({
  tool: "select",
  button: 0,
  at: imagePoint(500, 500),
  on: displayPoint(50, 50),
  marks: [box],
  selectedMark: null,
  reachPx: 6,
  size: SIZE,
  ...more,
});
const drag = (start: Press, x: number, y: number) =>
  shapeSoFar(continued(begun(start), imagePoint(x, y), displayPoint(0, 0), 1), SIZE, 4);

describe("a press", () => {
  test("with select on a mark takes hold of it, elsewhere of the picture", () => {
    expect(begun(press({ at: imagePoint(150, 150) })).kind).toBe("move");
    expect(begun(press({})).kind).toBe("pan");
  });

  test("on a handle of the selected mark pulls it, with a drawing tool too", () => {
    const at = imagePoint(201, 199);
    expect(begun(press({ at, selectedMark: "m1" }))).toMatchObject({ kind: "handle", index: 2 });
    expect(begun(press({ at, selectedMark: "m1", tool: "circle" })).kind).toBe("handle");
    expect(begun(press({ at, tool: "circle" })).kind).toBe("draw");
  });

  test("of the right button is window and level, of the middle one moves the picture", () => {
    expect(begun(press({ button: 2, tool: "box" })).kind).toBe("window");
    expect(begun(press({ button: 1, tool: "box" })).kind).toBe("pan");
  });
});

describe("a drag", () => {
  test("moves the mark by as much as the pointer", () => {
    expect(drag(press({ at: imagePoint(150, 150) }), 160.5, 130)?.geometry).toEqual([110.5, 80, 210.5, 180]);
  });

  test("resizes by a handle, the opposite corner stays", () => {
    expect(drag(press({ at: imagePoint(200, 200), selectedMark: "m1" }), 250, 225)?.geometry).toEqual([
      100, 100, 250, 225,
    ]);
  });

  test("draws with the tool in hand", () => {
    expect(drag(press({ tool: "circle" }), 530, 540)).toEqual({ kind: "circle", geometry: [500, 500, 50] });
  });

  test("too short to be meant makes nothing", () => {
    expect(drag(press({ tool: "box" }), 501, 501)).toBeNull();
    expect(drag(press({ at: imagePoint(150, 150) }), 151, 151)).toBeNull();
  });
});
