import { type Bounds, clamp, type ImagePoint, type ImageSize, imagePoint } from "./points";

export type Ring = readonly (readonly [number, number])[];

/** The shape of a mark in image px, as it is stored; angles in degrees, clockwise on the screen because y is down. */
export type Shape =
  | { kind: "box"; geometry: readonly [x0: number, y0: number, x1: number, y1: number] }
  | { kind: "ellipse"; geometry: readonly [cx: number, cy: number, rx: number, ry: number, deg: number] }
  | { kind: "circle"; geometry: readonly [cx: number, cy: number, r: number] }
  | { kind: "polygon"; geometry: readonly Ring[] }
  | { kind: "point"; geometry: readonly [x: number, y: number] };
export type ShapeKind = Shape["kind"];
export type DrawnKind = Exclude<ShapeKind, "point">;

export const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Turn round a centre by degrees. */
export function turned(p: ImagePoint, centre: ImagePoint, degrees: number): ImagePoint {
  const [cos, sin] = [Math.cos(radians(degrees)), Math.sin(radians(degrees))];
  const [dx, dy] = [p[0] - centre[0], p[1] - centre[1]];
  return imagePoint(centre[0] + dx * cos - dy * sin, centre[1] + dx * sin + dy * cos);
}

/** The corners of a shape's picture: a polygon that follows its outline, for hit tests, bounds and drawing. */
export function outline(shape: Shape, steps = 64): ImagePoint[] {
  switch (shape.kind) {
    case "box": {
      const [x0, y0, x1, y1] = shape.geometry;
      return [imagePoint(x0, y0), imagePoint(x1, y0), imagePoint(x1, y1), imagePoint(x0, y1)];
    }
    case "circle": {
      const [cx, cy, r] = shape.geometry;
      return outline({ kind: "ellipse", geometry: [cx, cy, r, r, 0] }, steps);
    }
    case "ellipse": {
      const [cx, cy, rx, ry, deg] = shape.geometry;
      return Array.from({ length: steps }, (_, i) => {
        const t = (2 * Math.PI * i) / steps;
        return turned(imagePoint(cx + rx * Math.cos(t), cy + ry * Math.sin(t)), imagePoint(cx, cy), deg);
      });
    }
    case "polygon":
      return (shape.geometry[0] ?? []).map(([x, y]) => imagePoint(x, y));
    case "point":
      return [imagePoint(shape.geometry[0], shape.geometry[1])];
  }
}

/** The smallest upright box round a shape, exact for every kind. */
export function boundsOf(shape: Shape): Bounds {
  if (shape.kind === "circle") {
    const [cx, cy, r] = shape.geometry;
    return [cx - r, cy - r, cx + r, cy + r];
  }
  if (shape.kind === "ellipse") {
    const [cx, cy, rx, ry, deg] = shape.geometry;
    const [cos, sin] = [Math.cos(radians(deg)), Math.sin(radians(deg))];
    const [dx, dy] = [Math.hypot(rx * cos, ry * sin), Math.hypot(rx * sin, ry * cos)];
    return [cx - dx, cy - dy, cx + dx, cy + dy];
  }
  const points = shape.kind === "polygon" ? shape.geometry.flat() : outline(shape);
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** The longest extent in px: a diameter, a diagonal of the box round a polygon. */
export function lengthPx(shape: Shape): number {
  switch (shape.kind) {
    case "circle":
      return 2 * shape.geometry[2];
    case "ellipse":
      return 2 * Math.max(shape.geometry[2], shape.geometry[3]);
    case "point":
      return 0;
    default: {
      const [x0, y0, x1, y1] = boundsOf(shape);
      return Math.max(x1 - x0, y1 - y0);
    }
  }
}

/** The shape moved by (dx, dy), kept in the image as the server asks: round shapes by their centre, others whole. */
export function movedBy(shape: Shape, dx: number, dy: number, size: ImageSize): Shape {
  const [x0, y0, x1, y1] = isRound(shape) ? centreBounds(shape) : boundsOf(shape);
  const [mx, my] = [
    clamp(dx, -x0, Math.max(size.cols - x1, -x0)),
    clamp(dy, -y0, Math.max(size.rows - y1, -y0)),
  ];
  switch (shape.kind) {
    case "box": {
      const [a, b, c, d] = shape.geometry;
      return { kind: "box", geometry: [a + mx, b + my, c + mx, d + my] };
    }
    case "circle":
      return {
        kind: "circle",
        geometry: [shape.geometry[0] + mx, shape.geometry[1] + my, shape.geometry[2]],
      };
    case "ellipse": {
      const [cx, cy, rx, ry, deg] = shape.geometry;
      return { kind: "ellipse", geometry: [cx + mx, cy + my, rx, ry, deg] };
    }
    case "polygon":
      return {
        kind: "polygon",
        geometry: shape.geometry.map((ring) => ring.map(([x, y]) => [x + mx, y + my])),
      };
    case "point":
      return { kind: "point", geometry: [shape.geometry[0] + mx, shape.geometry[1] + my] };
  }
}

type Round = Extract<Shape, { kind: "circle" | "ellipse" | "point" }>;
const isRound = (shape: Shape): shape is Round => ["circle", "ellipse", "point"].includes(shape.kind);
const centreBounds = ({ geometry: [x, y] }: Round): Bounds => [x, y, x, y];
