import { distance, type ImagePoint, type ImageSize, imagePoint, inside } from "./points";
import { type Ring, type Shape, turned } from "./shapes";

/** The places by which a shape can be pulled, in image px; `moveHandle` takes their index. */
export function handlesOf(shape: Shape): ImagePoint[] {
  switch (shape.kind) {
    case "box": {
      const [x0, y0, x1, y1] = shape.geometry;
      return [imagePoint(x0, y0), imagePoint(x1, y0), imagePoint(x1, y1), imagePoint(x0, y1)];
    }
    case "circle": {
      const [cx, cy, r] = shape.geometry;
      return [imagePoint(cx + r, cy), imagePoint(cx, cy + r), imagePoint(cx - r, cy), imagePoint(cx, cy - r)];
    }
    case "ellipse": {
      const [cx, cy, rx, ry, deg] = shape.geometry;
      const ends = [
        imagePoint(cx + rx, cy),
        imagePoint(cx, cy + ry),
        imagePoint(cx - rx, cy),
        imagePoint(cx, cy - ry),
      ];
      return ends.map((end) => turned(end, imagePoint(cx, cy), deg));
    }
    case "polygon":
      return (shape.geometry[0] ?? []).map(([x, y]) => imagePoint(x, y));
    case "point":
      return [imagePoint(shape.geometry[0], shape.geometry[1])];
  }
}

const MIN_PX = 0.5;

/** The shape with one handle pulled to a point; what is opposite stays. A shape never turns inside out or vanishes. */
export function moveHandle(shape: Shape, index: number, to: ImagePoint, size: ImageSize): Shape {
  switch (shape.kind) {
    case "box":
      return boxBetween(handlesOf(shape)[(index + 2) % 4] as ImagePoint, to, size);
    case "circle": {
      const [cx, cy] = shape.geometry;
      return { kind: "circle", geometry: [cx, cy, Math.max(distance(imagePoint(cx, cy), to), MIN_PX)] };
    }
    case "ellipse":
      return withEllipseEnd(shape.geometry, index, to);
    case "polygon":
      return { kind: "polygon", geometry: withVertex(shape.geometry, index, inside(to, size)) };
    case "point": {
      const [x, y] = inside(to, size);
      return { kind: "point", geometry: [x, y] };
    }
  }
}

/** Handles 0 and 2 pull the first radius, 1 and 3 the second; the centre stays. */
function withEllipseEnd(
  geometry: Extract<Shape, { kind: "ellipse" }>["geometry"],
  index: number,
  to: ImagePoint,
): Shape {
  const [cx, cy, rx, ry, deg] = geometry;
  const [x, y] = turned(to, imagePoint(cx, cy), -deg);
  const isFirst = index % 2 === 0;
  return {
    kind: "ellipse",
    geometry: [
      cx,
      cy,
      isFirst ? Math.max(Math.abs(x - cx), MIN_PX) : rx,
      isFirst ? ry : Math.max(Math.abs(y - cy), MIN_PX),
      deg,
    ],
  };
}

function withVertex(rings: readonly Ring[], index: number, [x, y]: ImagePoint): Ring[] {
  const [first = [], ...rest] = rings;
  return [first.map((point, i) => (i === index ? [x, y] : point)), ...rest];
}

/** The upright box with two opposite corners. */
export function boxBetween(a: ImagePoint, b: ImagePoint, size: ImageSize): Shape {
  const [p, q] = [inside(a, size), inside(b, size)];
  const [x0, y0] = [Math.min(p[0], q[0]), Math.min(p[1], q[1])];
  return {
    kind: "box",
    geometry: [x0, y0, Math.max(p[0], q[0], x0 + MIN_PX), Math.max(p[1], q[1], y0 + MIN_PX)],
  };
}
