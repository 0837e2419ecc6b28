/** From values to places on a drawing, and round ticks. Pure. */

export interface Scale {
  (value: number): number;
  readonly domain: readonly [number, number];
  readonly range: readonly [number, number];
}

/** A straight scale; a domain of one value lies in the middle of its range. */
export function linear(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const span = domain[1] - domain[0];
  const map = (value: number) =>
    span === 0 ? (range[0] + range[1]) / 2 : range[0] + ((value - domain[0]) / span) * (range[1] - range[0]);
  return Object.assign(map, { domain, range });
}

/** About `wanted` round numbers inside a domain: steps of 1, 2 or 5 times a power of ten. */
export function ticks(domain: readonly [number, number], wanted = 4): number[] {
  const [low, high] = domain;
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** The extent of the finite values, a little widened where they are all the same; null where there is none. */
export function extent(values: Iterable<number | null | undefined>): [number, number] | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return null;
  return low === high ? [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1] : [low, high];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

const place = (n: number) => Number(n.toFixed(2));

/** The `d` of an SVG path through points; `stepped` holds each y until the next x (a FROC is a step function). */
export function pathOf(points: readonly Point[], x: Scale, y: Scale, stepped = false): string {
  return points
    .map((p, i) => {
      const [px, py] = [place(x(p.x)), place(y(p.y))];
      if (i === 0) return `M${px},${py}`;
      return stepped ? `H${px}V${py}` : `L${px},${py}`;
    })
    .join("");
}

/** The closed `d` of a band between `low` and `high` at the same x. */
export function bandOf(
  rows: readonly { x: number; low: number; high: number }[],
  x: Scale,
  y: Scale,
): string {
  if (rows.length === 0) return "";
  const above = rows.map((r) => `${place(x(r.x))},${place(y(r.high))}`);
  const below = [...rows].reverse().map((r) => `${place(x(r.x))},${place(y(r.low))}`);
  return `M${[...above, ...below].join("L")}Z`;
}

/** At most `limit` of many points, first and last kept: a drawing has no more pixels than that. */
export function thinned<P>(points: readonly P[], limit: number): P[] {
  if (points.length <= limit) return [...points];
  const step = (points.length - 1) / (limit - 1);
  return Array.from({ length: limit }, (_, i) => points[Math.round(i * step)] as P);
}
