import { boxBetween } from "./handles";
import { distance, type ImagePoint, type ImageSize, imagePoint, inside } from "./points";
import { boundsOf, type DrawnKind, type Shape } from "./shapes";

/** A stroke of the pointer from press to release, in image px: what it passed, in order. */
export type Stroke = readonly ImagePoint[];

/**
 * The shape that a stroke draws, or null while it is too small to be meant.
 *
 * A box spans the two ends; an ellipse fills the box between them; a circle has its centre where the stroke began; a
 * polygon follows the stroke. `smallest` is the least extent in image px.
 */
export function drawn(kind: DrawnKind, stroke: Stroke, size: ImageSize, smallest: number): Shape | null {
  const [start, end] = [stroke[0], stroke.at(-1)];
  if (!start || !end) return null;
  if (kind === "polygon") return polygonFrom(stroke, size, smallest);
  if (distance(start, end) < smallest) return null;
  if (kind === "circle") {
    const centre = inside(start, size);
    return { kind, geometry: [centre[0], centre[1], distance(centre, end)] };
  }
  const box = boxBetween(start, end, size);
  if (kind === "box") return box;
  const [x0, y0, x1, y1] = boundsOf(box);
  return { kind: "ellipse", geometry: [(x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2, 0] };
}

/** A ring of the stroke's points, none repeated; null when it closes round nothing. */
export function polygonFrom(stroke: Stroke, size: ImageSize, smallest: number): Shape | null {
  const ring: [number, number][] = [];
  for (const point of stroke) {
    const [x, y] = inside(point, size);
    const last = ring.at(-1);
    if (!last || last[0] !== x || last[1] !== y) ring.push([x, y]);
  }
  const [first, last] = [ring[0], ring.at(-1)];
  if (first && last && ring.length > 1 && first[0] === last[0] && first[1] === last[1]) ring.pop();
  if (ring.length < 3 || Math.abs(areaOf(ring)) < smallest * smallest) return null;
  return { kind: "polygon", geometry: [ring] };
}

/** Signed area of a ring in px squared (shoelace formula). */
export function areaOf(ring: readonly (readonly [number, number])[]): number {
  let twice = 0;
  for (const [i, [x0, y0]] of ring.entries()) {
    const [x1, y1] = ring[(i + 1) % ring.length] as readonly [number, number];
    twice += x0 * y1 - x1 * y0;
  }
  return twice / 2;
}

/** The stroke with points closer than `step` image px left out: fewer points, the same outline to the eye. */
export function extended(stroke: Stroke, to: ImagePoint, step: number): Stroke {
  const last = stroke.at(-1);
  return last && distance(last, to) < step ? stroke : [...stroke, imagePoint(to[0], to[1])];
}
