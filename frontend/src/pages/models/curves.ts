/** The curves of a report as series to draw. The server sends plain arrays; what does not fit is left out. Pure. */

import { BASE_STYLES, type Series } from "../../ui/charts/lines";
import type { Point } from "../../ui/charts/scale";
import type { Metric } from "../contract";

interface Curve {
  readonly split: string;
  readonly target: string;
  readonly [name: string]: unknown;
}

export type Curves = Readonly<Record<string, unknown>>;

/** The curves of a kind that belong to a split (and a target). */
export function curvesOfKind(curves: Curves, kind: string, split: string, target?: string): Curve[] {
  const found = curves[kind];
  if (!Array.isArray(found)) return [];
  return (found as Curve[]).filter((c) => c.split === split && (target === undefined || c.target === target));
}

const numbers = (value: unknown): number[] =>
  Array.isArray(value) ? value.filter((n): n is number => typeof n === "number") : [];

function points(xs: unknown, ys: unknown) {
  const y = numbers(ys);
  return numbers(xs).flatMap((x, i) => (y[i] === undefined ? [] : [{ x, y: y[i] }]));
}

/** What a FROC has been drawn for: `any`, then each finding. */
export function targetsOf(curves: Curves, split: string): string[] {
  return [...new Set(curvesOfKind(curves, "froc", split).map((c) => c.target))];
}

const RATES = [0.25, 0.5, 1, 2];

/** The model's FROC with its intervals at the reported rates, and those of the baselines. */
export function frocSeries(
  curves: Curves,
  metrics: readonly Metric[],
  split: string,
  target: string,
): Series[] {
  const all = curvesOfKind(curves, "froc", split, target);
  const on = all.some((c) => c.fp_on === "normal") ? "normal" : "complete";
  const drawn = all.filter((c) => c.fp_on === on);
  const baselines = drawn.filter((c) => c.series !== "model").map((c) => c.series);
  return drawn.map((c) => {
    const model = c.series === "model";
    return {
      name: model
        ? "this model, 95 % interval over patients"
        : String(c.series).replace("baseline:", "").replaceAll("_", " "),
      points: points(c.fp_per_image, c.sensitivity),
      stepped: true,
      style: model
        ? ("one" as const)
        : (BASE_STYLES[baselines.indexOf(c.series) % BASE_STYLES.length] ?? "base"),
      ...(model ? { band: bandAtRates(metrics, split, target, on) } : {}),
    };
  });
}

function bandAtRates(metrics: readonly Metric[], split: string, target: string, on: string) {
  const suffix = on === "normal" ? "" : ":complete";
  return RATES.flatMap((rate) => {
    const row = metrics.find(
      (m) =>
        m.name === `froc_sens@${rate}${suffix}` && m.split === split && m.target === target && !m.subgroup,
    );
    return row?.ci ? [{ x: rate, low: row.ci[0], high: row.ci[1] }] : [];
  });
}

/** A stepped curve up to `end`: what goes on behind it holds its value until there. */
export function cut(points: readonly Point[], end: number): Point[] {
  const kept = points.filter((p) => p.x <= end);
  const last = kept.at(-1);
  return last && kept.length < points.length ? [...kept, { x: end, y: last.y }] : kept;
}

/** The ROC curves of a split. */
export function rocSeries(curves: Curves, split: string): Series[] {
  return curvesOfKind(curves, "roc", split).map((c) => ({
    name: "dense against not dense",
    points: points(c.fpr, c.tpr),
    style: "one" as const,
  }));
}

/** How often it was right against how sure it was, in bins that hold something. */
export function reliabilitySeries(curves: Curves, split: string): Series[] {
  return curvesOfKind(curves, "reliability", split).map((c) => {
    const n = numbers(c.n);
    const all = points(c.confidence, c.observed);
    const held = n.length === all.length ? all.filter((_, i) => (n[i] ?? 0) > 0) : all;
    return { name: "how often right", points: held, style: "one" as const };
  });
}

/** The confusion matrix of a split, if there is one. */
export function confusionOf(curves: Curves, split: string): { labels: string[]; matrix: number[][] } | null {
  const [found] = curvesOfKind(curves, "confusion", split);
  if (!found || !Array.isArray(found.labels) || !Array.isArray(found.matrix)) return null;
  return { labels: found.labels.map(String), matrix: found.matrix.map(numbers) };
}
