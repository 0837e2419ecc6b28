/** The figures of a model put in order: each with its baselines beside it. Pure. */

import { figure, interval } from "../../ui/format";
import type { Metric } from "../contract";

export interface Beside {
  readonly name: string;
  readonly value: Metric;
  readonly difference: Metric | null;
}

export interface FigureLine {
  readonly key: string;
  readonly model: Metric;
  readonly beside: readonly Beside[];
  /** True for the few figures that a model is judged by. */
  readonly headline: boolean;
}

const HEADLINES = [
  "qwk",
  "accuracy",
  "balanced_accuracy",
  "macro_f1",
  "auc_dense",
  "cpm",
  "auc",
  "ap",
  "auc_malignant",
  "auc_matched",
  "dice",
  "hd95_mm",
  "pd_mae",
  "pd_spearman",
];
const isHeadline = (name: string) => HEADLINES.includes(name) || /^(froc_sens|sens@spec)@?[\d.]+$/.test(name);

const place = (row: Metric) => [row.split, row.target, row.level, JSON.stringify(row.subgroup)].join("|");

const ON_ALL_IMAGES = ":complete";

/** Whether a figure leads: one that a task is judged by, or its counterpart on all images where no image is normal. */
function leads(model: Metric, byPlace: ReadonlyMap<string, Metric>): boolean {
  if (model.subgroup) return false;
  const at = (name: string) => byPlace.get(`${place(model)}|${name}`);
  if (model.name.endsWith(ON_ALL_IMAGES)) {
    const plain = model.name.slice(0, -ON_ALL_IMAGES.length);
    return isHeadline(plain) && at(plain)?.reason === "no_normals";
  }
  const instead = model.reason === "no_normals" && at(model.name + ON_ALL_IMAGES);
  return isHeadline(model.name) && !instead;
}

/** One line for each figure of the model, in the order of the report. */
export function figureLines(metrics: readonly Metric[]): FigureLine[] {
  const byPlace = new Map(metrics.map((row) => [`${place(row)}|${row.name}`, row]));
  const names = [
    ...new Set(metrics.flatMap((row) => (row.series === "baseline" && row.baseline ? [row.baseline] : []))),
  ];
  return metrics
    .filter((row) => row.series === "model")
    .map((model) => ({
      key: `${place(model)}|${model.name}`,
      model,
      headline: leads(model, byPlace),
      beside: names.flatMap((name) => {
        const value = byPlace.get(`${place(model)}|baseline:${name}:${model.name}`);
        const difference = byPlace.get(`${place(model)}|difference:${name}:${model.name}`) ?? null;
        return value ? [{ name, value, difference }] : [];
      }),
    }));
}

/** The splits that a report speaks of, the patients that it never saw first. */
export function splitsOf(metrics: readonly Metric[]): string[] {
  const order = ["test", "audit", "val", "train"];
  const found = [...new Set(metrics.map((row) => row.split))];
  return found.sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

const NAMES: Readonly<Record<string, string>> = {
  qwk: "Kappa, quadratic weights",
  accuracy: "Accuracy",
  balanced_accuracy: "Balanced accuracy",
  accuracy_within_one: "Accuracy within one class",
  macro_f1: "F1, mean over classes",
  auc_dense: "AUC, dense (c, d) against not",
  auc_image: "AUC of images",
  auc: "AUC",
  auc_malignant: "AUC, malignant against benign",
  auc_matched: "AUC, lesion against background of its size",
  ap: "Average precision",
  pauc: "Partial AUC, false positive rate up to 0.1",
  dice: "Dice",
  iou: "Overlap (IoU)",
  hd95_mm: "95 % surface distance, mm (lower is better)",
  assd_mm: "Mean surface distance, mm (lower is better)",
  pd_mae: "Percent density, mean error (lower is better)",
  pd_bias: "Percent density, bias",
  pd_spearman: "Percent density, rank correlation",
  brier: "Brier score (lower is better)",
  ece: "Calibration error (lower is better)",
  cpm: "Sensitivity, mean over 1/8 to 8 false positives (CPM)",
  sensitivity: "Sensitivity at the threshold of validation",
  specificity: "Specificity at the threshold of validation",
  fp_per_image: "False positives an image at the threshold of validation",
  dense_gap: "Dense-tissue gap",
};

const VARIANTS: Readonly<Record<string, string>> = {
  complete: "on all images",
  mark: "each mark counts",
  centre_in_mark: "hit: centre in the mark",
};

/** A figure's name in words: `Sensitivity at 1 false positive an image`. */
export function figureName(name: string): string {
  const [, mean, from, to] = /^(m?)ap@([\d.]+)(?::([\d.]+))?$/.exec(name) ?? [];
  if (from) {
    const precision = mean ? "Mean average precision over finding types" : "Average precision";
    return `${precision} at ${to ? `overlaps of ${from} to ${to}` : `overlap ${from}`}`;
  }
  const [metric = name, ...variants] = name.split(":");
  const rate = /^froc_sens@([\d.]+)$/.exec(metric)?.[1];
  const specificity = /^sens@spec([\d.]+)$/.exec(metric)?.[1];
  const sensitivity = /^spec@sens([\d.]+)$/.exec(metric)?.[1];
  if (specificity) return `Sensitivity at a specificity of ${specificity}`;
  if (sensitivity) return `Specificity at a sensitivity of ${sensitivity}`;
  const main = rate
    ? `Sensitivity at ${rate} false positive${rate === "1" ? "" : "s"} an image`
    : (NAMES[metric] ?? metric.replaceAll("_", " "));
  const variant = variants
    .map((v) => VARIANTS[v] ?? v.replace("iou>=", "hit: overlap of at least "))
    .join(", ");
  return variant ? `${main} (${variant})` : main;
}

const REASONS: Readonly<Record<string, string>> = {
  one_class: "all these patients are of one class",
  empty: "no such patient",
  too_few: "too few patients",
  no_marks: "no marked finding among these patients",
  no_normals: "no normal image among these patients",
  no_spacing: "the size of a pixel is not known",
  no_threshold: "validation chose no threshold",
};

/** Why a figure has no value, in words. */
export function reasonOfNull(reason: string | null | undefined): string {
  return reason ? (REASONS[reason] ?? reason.replaceAll("_", " ")) : "not defined here";
}

/**
 * What the paired interval says of model and baseline, in the words of the model card (`ml/training/card.py`); of fewer
 * than ten patients with a positive it says little. The report knows of which figures less is better.
 */
export function verdict(difference: Metric | null): string {
  if (!difference) return "";
  if (!difference.ci || difference.params.wide) return "too few to tell";
  if (difference.params.better) return "better";
  const holdsZero = difference.ci[0] <= 0 && difference.ci[1] >= 0;
  return holdsZero ? "no better" : "worse";
}

/** Sensitivity or AUC in fatty breasts (A, B) minus that in dense ones (C, D). */
export function isDenseGap({ metric }: Metric): boolean {
  return metric === "dense_gap";
}

/** What the report says of a dense-tissue gap, in a sentence; where it says nothing, why. */
export function gapText(gap: Metric): string {
  if (gap.value === null) return `Dense-tissue gap: not known, ${reasonOfNull(gap.reason)}.`;
  const of = gap.level === "finding" ? "sensitivity at 1 false positive an image" : "AUC";
  const range = gap.ci ? ` [${interval(gap.ci)}]` : "";
  const said = gap.params.verdict;
  const sign = gap.value >= 0 ? "+" : "";
  return `Dense-tissue gap: ${typeof said === "string" ? said : "no evidence"}; ${of} in fatty breasts (A, B) minus that in dense ones (C, D) ${sign}${figure(gap.value)}${range}.`;
}

const few = (n: unknown, one: string, many: string) =>
  typeof n === "number" && n > 0 ? [`${n} ${n === 1 ? one : many}`] : [];

/** What one must know beside a figure: what it leaves out, and where it says little. */
export function notesOf({ params }: Metric): string[] {
  return [
    ...few(
      params.findings_without_mark,
      "finding without a mark left out",
      "findings without a mark left out",
    ),
    ...few(params.marks_not_usable, "mark not usable", "marks not usable"),
    ...(params.truncated ? ["cut off: an image has as many candidates as are kept"] : []),
    ...(params.unstable ? ["too few cases to be stable"] : []),
  ];
}

/** Lines that say something, and the targets of which nothing can be said, each with its one reason. */
export function spoken(lines: readonly FigureLine[]): {
  told: FigureLine[];
  silent: { target: string; reason: string }[];
} {
  const targets = [...new Set(lines.map((line) => line.model.target))];
  const silent = targets.filter((target) =>
    lines.every((l) => l.model.target !== target || l.model.value === null),
  );
  const reasonOf = (target: string) => lines.find((line) => line.model.target === target)?.model.reason;
  return {
    told: lines.filter((line) => !silent.includes(line.model.target)),
    silent: silent.map((target) => ({ target, reason: reasonOfNull(reasonOf(target)) })),
  };
}

/** What is noted of every one of several figures. */
export function commonNotes(figures: readonly Metric[]): string[] {
  const [first, ...others] = figures;
  if (!first || others.length === 0) return [];
  return notesOf(first).filter((note) => others.every((other) => notesOf(other).includes(note)));
}
