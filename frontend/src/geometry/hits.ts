import { handlesOf } from "./handles";
import { distance, type ImagePoint } from "./points";
import { outline, type Shape, turned } from "./shapes";

/** How far a point is from a segment, in px. */
export function distanceToSegment(p: ImagePoint, a: ImagePoint, b: ImagePoint): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const squared = dx * dx + dy * dy;
  const along = squared === 0 ? 0 : ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / squared;
  const t = Math.min(Math.max(along, 0), 1);
  return Math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy);
}

/** Whether a point lies in a ring (crossing rule). */
export function isInside(p: ImagePoint, ring: readonly ImagePoint[]): boolean {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i] as ImagePoint;
    const [xj, yj] = ring[j] as ImagePoint;
    if (yi > p[1] !== yj > p[1] && p[0] < ((xj - xi) * (p[1] - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** Whether a point is in a shape, exactly for every kind; a mark point has no inside. */
export function contains(shape: Shape, p: ImagePoint): boolean {
  switch (shape.kind) {
    case "box": {
      const [x0, y0, x1, y1] = shape.geometry;
      return p[0] >= x0 && p[0] <= x1 && p[1] >= y0 && p[1] <= y1;
    }
    case "circle": {
      const [cx, cy, r] = shape.geometry;
      return Math.hypot(p[0] - cx, p[1] - cy) <= r;
    }
    case "ellipse": {
      const [cx, cy, rx, ry, deg] = shape.geometry;
      const [x, y] = turned(p, [cx, cy], -deg);
      return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1;
    }
    case "polygon":
      return isInside(p, outline(shape));
    case "point":
      return false;
  }
}

/** How far a point is from a shape's line, in px. */
export function distanceToOutline(shape: Shape, p: ImagePoint): number {
  if (shape.kind === "circle")
    return Math.abs(Math.hypot(p[0] - shape.geometry[0], p[1] - shape.geometry[1]) - shape.geometry[2]);
  const points = outline(shape, 128);
  if (points.length === 1) return distance(points[0] as ImagePoint, p);
  return Math.min(
    ...points.map((a, i) => distanceToSegment(p, a, points[(i + 1) % points.length] as ImagePoint)),
  );
}

/** The index of the handle within reach, the nearest first; -1 where there is none. */
export function handleAt(shape: Shape, p: ImagePoint, reachPx: number): number {
  const far = handlesOf(shape).map((handle) => distance(handle, p));
  const nearest = Math.min(...far);
  return nearest <= reachPx ? far.indexOf(nearest) : -1;
}

/** Which shape a click means: one whose line is in reach, nearest first; else the smallest that holds the point. */
export function hit<T extends { shape: Shape; areaPx: number }>(
  shapes: readonly T[],
  p: ImagePoint,
  reachPx: number,
): T | null {
  const near = shapes
    .map((item) => ({ item, far: distanceToOutline(item.shape, p) }))
    .filter(({ far }) => far <= reachPx)
    .sort((a, b) => a.far - b.far);
  if (near[0]) return near[0].item;
  const around = shapes.filter(({ shape }) => contains(shape, p)).sort((a, b) => a.areaPx - b.areaPx);
  return around[0] ?? null;
}
