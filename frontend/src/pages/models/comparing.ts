/** Two models beside each other: which figures come first, what they say, the curves of both in one plot. Pure. */

import type { Series } from "../../ui/charts/lines";
import type { Curves, Metric } from "../contract";
import { cut, reliabilitySeries, rocKeys, rocSeries, targetsOf } from "./curves";
import { figureLines, isDenseGap, verdict } from "./report";

/** A figure of both, and what their paired difference says. */
export interface Pair {
  readonly key: string;
  readonly name: string;
  readonly target: string;
  readonly level: string;
  readonly headline: boolean;
  readonly first: Metric;
  readonly second: Metric;
  readonly difference: Metric;
}

/** The figures of a split that both have: the second model stands where a baseline does. */
export function pairsOf(metrics: readonly Metric[], split: string): Pair[] {
  const own = metrics.filter((row) => row.split === split);
  return figureLines(own).flatMap(({ key, model, headline, beside: [other] }) =>
    other?.difference
      ? [
          {
            key,
            name: model.name,
            target: model.target,
            level: model.level,
            headline: headline || isDenseGap(model),
            first: model,
            second: other.value,
            difference: other.difference,
          },
        ]
      : [],
  );
}

/** Of two models neither is a baseline that the other must be better than. */
const OF_MODELS: Readonly<Record<string, string>> = {
  better: "first is better",
  "no better": "no evidence",
  worse: "second is better",
};
/** A gap that is less is no better model: it may be less because fatty breasts are served worse. */
const OF_GAPS: Readonly<Record<string, string>> = {
  ...OF_MODELS,
  better: "smaller in first",
  worse: "smaller in second",
};

/** What the paired interval is evidence for, in words. */
export function verdictOf({ difference }: Pair): string {
  const said = verdict(difference);
  return (isDenseGap(difference) ? OF_GAPS : OF_MODELS)[said] ?? said;
}

export function settingText(value: unknown): string {
  if (value === null || value === undefined) return "—";
  if (Array.isArray(value)) return value.map(settingText).join(", ") || "—";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

interface Axis {
  readonly label: string;
  readonly domain: readonly [number, number];
}

export interface Plot {
  readonly title: string;
  readonly series: Series[];
  readonly diagonal: boolean;
  readonly marks: boolean;
  readonly x: Axis;
  readonly y: Axis;
}

const SHARE: readonly [number, number] = [0, 1];
const MOST_RATE = 4;
const STYLES = ["one", "two"] as const;

/** What both were asked for: each model has curves of its own findings, too. */
export function comparedTargets(metrics: readonly Metric[], split: string): Set<string> {
  return new Set(metrics.filter((row) => row.split === split).map((row) => row.target));
}

/** One plot a kind of curve and finding of those that were compared, the baselines left out. */
export function overlaid(
  first: Curves,
  second: Curves,
  split: string,
  names: readonly [string, string],
  compared: ReadonlySet<string>,
): Plot[] {
  const both = [first, second] as const;
  const of = (seriesOf: (curves: Curves) => Series[]): Series[] =>
    both.flatMap((curves, n) =>
      seriesOf(curves).map((one, _, all) => ({
        ...one,
        name: all.length > 1 ? `${names[n]}: ${one.name}` : (names[n] as string),
        style: STYLES[n] as Series["style"] & string,
      })),
    );
  const plot = (
    title: string,
    series: Series[],
    x: Axis,
    y: Axis,
    kind: "froc" | "roc" | "reliability",
  ): Plot => ({
    title,
    series,
    x,
    y,
    diagonal: kind !== "froc",
    marks: kind === "reliability",
  });
  const targets = targetsOf(first, split).filter((target) => compared.has(target));
  const shared = rocKeys(first, split).find((key) => rocKeys(second, split).includes(key));
  const found = [
    ...targets.map((target) =>
      plot(
        `FROC, ${target === "any" ? "any finding" : target.replaceAll("_", " ")}`,
        of((curves) => frocOf(curves, split, target)),
        { label: "false positives an image", domain: [0, MOST_RATE] },
        { label: "sensitivity", domain: SHARE },
        "froc",
      ),
    ),
    plot(
      "ROC",
      of((curves) => rocSeries(curves, split, shared).filter((one) => one.style === "one")),
      { label: "false positive rate", domain: SHARE },
      { label: "sensitivity", domain: SHARE },
      "roc",
    ),
    plot(
      "Reliability: how sure against how often right",
      of((curves) => reliabilitySeries(curves, split)),
      { label: "how sure", domain: SHARE },
      { label: "how often right", domain: SHARE },
      "reliability",
    ),
  ];
  return found.filter(({ series }) => series.length > 0);
}

/** The model's own FROC of a finding, on normal images where there are any. */
function frocOf(curves: Curves, split: string, target: string): Series[] {
  const all = (curves.froc ?? []).filter(
    (c) => c.split === split && c.target === target && c.series === "model",
  );
  const drawn = all.find((c) => c.fp_on === "normal") ?? all[0];
  if (!drawn) return [];
  const points = drawn.fp_per_image.flatMap((x, i) => {
    const y = drawn.sensitivity[i];
    return y === undefined ? [] : [{ x, y }];
  });
  return [{ name: target, points: cut(points, MOST_RATE), stepped: true }];
}
