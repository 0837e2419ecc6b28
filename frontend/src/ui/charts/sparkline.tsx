import { extent, linear, type Point, pathOf, thinned } from "./scale";

/** A line as small as a word; its label says in words what it shows. */
export function Sparkline({ points, label }: { points: readonly Point[]; label: string }) {
  const xs = extent(points.map((p) => p.x));
  const ys = extent(points.map((p) => p.y));
  if (!xs || !ys || points.length < 2) return <span className="quiet">—</span>;
  const d = pathOf(thinned(points, 60), linear(xs, [1, 95]), linear(ys, [19, 1]));
  return (
    <svg
      className="sparkline series one"
      viewBox="0 0 96 20"
      width="96"
      height="20"
      role="img"
      aria-label={label}
    >
      <path className="line" d={d} />
    </svg>
  );
}
