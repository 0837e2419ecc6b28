/** The curves of a report as series to draw. The server sends plain arrays; what does not fit is left out. Pure. */

import { BASE_STYLES, type Series, STYLES } from "../../ui/charts/lines";
import type { Point } from "../../ui/charts/scale";
import type { Curves, Metric } from "../contract";

/** Those of a split, of the kind that is given. */
const ofSplit = <C extends { readonly split: string }>(
  curves: readonly C[] | undefined,
  split: string,
): C[] => (curves ?? []).filter((curve) => curve.split === split);

const points = (xs: readonly number[], ys: readonly number[]): Point[] =>
  xs.flatMap((x, i) => (ys[i] === undefined ? [] : [{ x, y: ys[i] }]));

/** What a FROC has been drawn for: `any`, then each finding. */
export function targetsOf(curves: Curves, split: string): string[] {
  return [...new Set(ofSplit(curves.froc, split).map((c) => c.target))];
}

const RATES = [0.25, 0.5, 1, 2];

/** The model's FROC with its intervals at the reported rates, and those of the baselines. */
export function frocSeries(
  curves: Curves,
  metrics: readonly Metric[],
  split: string,
  target: string,
): Series[] {
  const all = ofSplit(curves.froc, split).filter((c) => c.target === target);
  const on = all.some((c) => c.fp_on === "normal") ? "normal" : "complete";
  const drawn = all.filter((c) => c.fp_on === on);
  const baselines = drawn.filter((c) => c.series !== "model").map((c) => c.series);
  return drawn.map((c) => {
    const model = c.series === "model";
    return {
      name: model
        ? "this model, 95 % interval over patients"
        : c.series.replace("baseline:", "").replaceAll("_", " "),
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

type Roc = NonNullable<Curves["roc"]>[number];

const isBaseline = ({ series = "model" }: Roc): boolean => series !== "model";

/** `dense against not dense`; what is not the model says so. */
function rocName(curve: Roc): string {
  const what = curve.positive === "C+D" ? "dense against not dense" : (curve.positive ?? "this model");
  const whose = isBaseline(curve) ? (curve.series ?? "").replace("baseline:", "") : "";
  const fold = curve.fold === undefined ? "" : `fold ${curve.fold}`;
  return [whose || what, whose && curve.positive, fold].filter(Boolean).join(", ").replaceAll("_", " ");
}

/** What ROC curves of a split are of, each once: a target, and by what it is counted; the exam's comes first. */
export function rocKeys(curves: Curves, split: string): string[] {
  return [...new Set(ofSplit(curves.roc, split).map(rocKey))];
}

const rocKey = ({ target, level }: Roc): string =>
  level ? `${target.replaceAll("_", " ")}, by ${level}` : target.replaceAll("_", " ");

/** The ROC curves of one of `rocKeys`, those of the baselines beside the model's. */
export function rocSeries(curves: Curves, split: string, key: string | undefined): Series[] {
  const drawn = ofSplit(curves.roc, split).filter((curve) => rocKey(curve) === key);
  const baselines = drawn.filter(isBaseline).map((c) => c.series);
  return drawn.map((c) => ({
    name: rocName(c),
    points: points(c.fpr, c.tpr),
    style: isBaseline(c) ? (BASE_STYLES[baselines.indexOf(c.series) % BASE_STYLES.length] ?? "base") : "one",
  }));
}

/** How often it was right against how sure it was, in bins that hold something. */
export function reliabilitySeries(curves: Curves, split: string): Series[] {
  return ofSplit(curves.reliability, split).map((c, n) => ({
    name: c.level ? `how often right, by ${c.level}` : "how often right",
    points: points(c.confidence, c.observed).filter((_, i) => (c.n[i] ?? 0) > 0),
    style: STYLES[n % STYLES.length] ?? "one",
  }));
}

/** The confusion matrix of a split, if there is one. */
export const confusionOf = (curves: Curves, split: string) => ofSplit(curves.confusion, split)[0] ?? null;
