import type { Shape } from "../contract";

/** A mark in stored pixels as an SVG shape; `size` is the image's height, for the size of a point. */
export function MarkShape({ mark, size }: { mark: Shape; size: number }) {
  switch (mark.kind) {
    case "box": {
      const [x0, y0, x1, y1] = mark.geometry;
      return <rect className="marked" x={x0} y={y0} width={x1 - x0} height={y1 - y0} />;
    }
    case "circle": {
      const [cx, cy, r] = mark.geometry;
      return <circle className="marked" cx={cx} cy={cy} r={r} />;
    }
    case "ellipse": {
      const [cx, cy, rx, ry, deg] = mark.geometry;
      return (
        <ellipse
          className="marked"
          cx={cx}
          cy={cy}
          rx={rx}
          ry={ry}
          transform={`rotate(${deg} ${cx} ${cy})`}
        />
      );
    }
    case "polygon":
      return <path className="marked" fillRule="evenodd" d={ringsPath(mark.geometry)} />;
    case "point": {
      const [x, y] = mark.geometry;
      return <circle className="marked" cx={x} cy={y} r={size / 100} />;
    }
  }
}

const ringsPath = (rings: Extract<Shape, { kind: "polygon" }>["geometry"]): string =>
  rings.map((ring) => `M${ring.map(([x, y]) => `${x},${y}`).join("L")}Z`).join("");
