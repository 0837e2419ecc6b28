import type { Geometry } from "../contract";

/** A mark in stored pixels as an SVG shape; `size` is the image's height, for the size of a point. */
export function MarkShape({ kind, geometry, size }: { kind: string; geometry: Geometry; size: number }) {
  const [a = 0, b = 0, c = 0, d = 0, deg = 0] = geometry.filter((n): n is number => typeof n === "number");
  switch (kind) {
    case "box":
      return <rect className="marked" x={a} y={b} width={c - a} height={d - b} />;
    case "circle":
      return <circle className="marked" cx={a} cy={b} r={c} />;
    case "ellipse":
      return (
        <ellipse className="marked" cx={a} cy={b} rx={c} ry={d} transform={`rotate(${deg} ${a} ${b})`} />
      );
    case "polygon":
      return <path className="marked" fillRule="evenodd" d={ringsPath(geometry)} />;
    default:
      return <circle className="marked" cx={a} cy={b} r={size / 100} />;
  }
}

function ringsPath(geometry: Geometry): string {
  return geometry
    .filter((ring): ring is readonly (readonly number[])[] => Array.isArray(ring))
    .map((ring) => `M${ring.map(([x, y]) => `${x},${y}`).join("L")}Z`)
    .join("");
}
