import { drawn, extended, type Stroke } from "../geometry/drawing";
import { moveHandle } from "../geometry/handles";
import { handleAt, hit } from "../geometry/hits";
import { type DisplayPoint, type ImagePoint, type ImageSize, inside } from "../geometry/points";
import { boundsOf, type DrawnKind, movedBy, type Shape } from "../geometry/shapes";
import { type PlacedMark, shapeOf } from "../reading/document";
import type { Tool } from "./keymap";

/** What a pointer is doing from press to release. Marks are drawn and changed in image px, pictures in display px. */
export type Gesture =
  | { kind: "draw"; shape: DrawnKind; stroke: Stroke }
  | { kind: "handle"; mark: PlacedMark; index: number; to: ImagePoint }
  | { kind: "move"; mark: PlacedMark; from: ImagePoint; to: ImagePoint }
  | { kind: "pan" | "window" | "zoom"; from: DisplayPoint; last: DisplayPoint };

export type Press = {
  tool: Tool;
  /** 0 the main button, 1 the middle one, 2 the right one. */
  button: number;
  at: ImagePoint;
  on: DisplayPoint;
  marks: readonly PlacedMark[];
  selectedMark: string | null;
  /** How near counts as on, in image px. */
  reachPx: number;
  size: ImageSize;
};

const DRAWING: readonly Tool[] = ["box", "ellipse", "circle", "polygon"];

/** The mark that a press means. */
export const markAt = (press: Press): PlacedMark | null =>
  hit(
    press.marks.map((mark) => ({
      mark,
      shape: shapeOf(mark.mark),
      areaPx: areaOfBounds(shapeOf(mark.mark)),
    })),
    press.at,
    press.reachPx,
  )?.mark ?? null;

const areaOfBounds = (shape: Shape): number => {
  const [x0, y0, x1, y1] = boundsOf(shape);
  return (x1 - x0) * (y1 - y0);
};

/** What begins with a press. Handles of the selected mark come first with every drawing tool and with select. */
export function begun(press: Press): Gesture {
  const { tool, button, at, on } = press;
  const picture = (kind: "pan" | "window" | "zoom"): Gesture => ({ kind, from: on, last: on });
  if (button === 1) return picture("pan");
  if (button === 2) return picture("window");
  if (tool === "pan" || tool === "window" || tool === "zoom") return picture(tool);
  const selected = press.marks.find((mark) => mark.id === press.selectedMark);
  const index = selected ? handleAt(shapeOf(selected.mark), at, press.reachPx) : -1;
  if (selected && index >= 0) return { kind: "handle", mark: selected, index, to: at };
  if (DRAWING.includes(tool)) {
    return { kind: "draw", shape: tool as DrawnKind, stroke: [inside(at, press.size)] };
  }
  const mark = markAt(press);
  return mark ? { kind: "move", mark, from: at, to: at } : picture("pan");
}

/** The gesture after the pointer went on. A polygon keeps a point every `step` image px. */
export function continued(gesture: Gesture, at: ImagePoint, on: DisplayPoint, step: number): Gesture {
  switch (gesture.kind) {
    case "draw": {
      if (gesture.shape === "polygon") return { ...gesture, stroke: extended(gesture.stroke, at, step) };
      return { ...gesture, stroke: [gesture.stroke[0] as ImagePoint, at] };
    }
    case "handle":
    case "move":
      return { ...gesture, to: at };
    default:
      return { ...gesture, last: on };
  }
}

/** The shape that the gesture makes so far; null while it makes none. `smallest` in image px. */
export function shapeSoFar(gesture: Gesture, size: ImageSize, smallest: number): Shape | null {
  switch (gesture.kind) {
    case "draw":
      return drawn(gesture.shape, gesture.stroke, size, smallest);
    case "handle":
      return moveHandle(shapeOf(gesture.mark.mark), gesture.index, gesture.to, size);
    case "move": {
      const [dx, dy] = [gesture.to[0] - gesture.from[0], gesture.to[1] - gesture.from[1]];
      if (Math.hypot(dx, dy) < smallest) return null;
      return movedBy(shapeOf(gesture.mark.mark), dx, dy, size);
    }
    default:
      return null;
  }
}
