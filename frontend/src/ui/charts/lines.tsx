import { type Axis, Frame } from "./frame";
import { bandOf, extent, type Point, pathOf, thinned } from "./scale";

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Which of the few line styles: colour and dash go together, so that colour never carries alone. */
  readonly style?: "one" | "two" | "three" | "four" | "base" | "base-2";
  readonly stepped?: boolean;
  readonly band?: readonly { x: number; low: number; high: number }[];
}

/** Styles of what a model is compared with. */
export const BASE_STYLES = ["base", "base-2"] as const;
export const STYLES = ["one", "two", "three", "four"] as const;

interface Props {
  readonly title: string;
  readonly series: readonly Series[];
  readonly x: Omit<Axis, "domain"> & { domain?: readonly [number, number] };
  readonly y: Omit<Axis, "domain"> & { domain?: readonly [number, number] };
  readonly diagonal?: boolean;
  readonly marks?: boolean;
  readonly width?: number;
  readonly height?: number;
}

const MOST_POINTS = 600;

/** Lines with a legend in words. */
export function Lines({ title, series, x, y, diagonal = false, marks = false, width, height }: Props) {
  const xs = x.domain ?? extent(series.flatMap((s) => s.points.map((p) => p.x))) ?? [0, 1];
  const bands = series.flatMap((s) => s.band ?? []);
  const ys = y.domain ??
    extent([
      ...series.flatMap((s) => s.points.map((p) => p.y)),
      ...bands.map((b) => b.low),
      ...bands.map((b) => b.high),
    ]) ?? [0, 1];
  const size = { ...(width ? { width } : {}), ...(height ? { height } : {}) };
  return (
    <figure className="plot">
      <Frame title={title} x={{ ...x, domain: xs }} y={{ ...y, domain: ys }} {...size}>
        {(sx, sy) => (
          <>
            {diagonal && (
              <line className="diagonal" x1={sx(xs[0])} y1={sy(ys[0])} x2={sx(xs[1])} y2={sy(ys[1])} />
            )}
            {series.map((s) => (
              <g key={s.name} className={`series ${s.style ?? "one"}`}>
                {s.band && <path className="band" d={bandOf(s.band, sx, sy)} />}
                <path className="line" d={pathOf(thinned(s.points, MOST_POINTS), sx, sy, s.stepped)} />
                {marks && s.points.map((p) => <circle key={p.x} cx={sx(p.x)} cy={sy(p.y)} r="3" />)}
              </g>
            ))}
          </>
        )}
      </Frame>
      <Legend series={series} />
    </figure>
  );
}

function Legend({ series }: { series: readonly Series[] }) {
  return (
    <figcaption className="legend">
      {series.map((s) => (
        <span key={s.name} className={`series ${s.style ?? "one"}`}>
          <svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true">
            <path className="line" d="M0,4L24,4" />
          </svg>
          {s.name}
        </span>
      ))}
    </figcaption>
  );
}
