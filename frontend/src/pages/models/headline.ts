/** The few figures that stand for a model in lists and on the learning curve. Pure. */

import { figure } from "../../ui/format";
import type { Model } from "../contract";
import { reasonOfNull } from "./report";

type Headline = Readonly<Record<string, number | null>>;

const SHOWN: readonly (readonly [key: string, name: string])[] = [
  ["qwk", "kappa"],
  ["accuracy", "accuracy"],
  ["auc", "AUC"],
  ["any:dice", "Dice"],
  ["any:froc_sens@1", "sensitivity at 1 FP an image"],
  ["any:cpm", "CPM"],
  ["any:froc_sens@1:complete", "sensitivity at 1 FP an image (all images)"],
  ["any:cpm:complete", "CPM (all images)"],
  ["tissue:dice:dense", "Dice of dense tissue"],
  ["percent_density:pd_spearman", "rank correlation of percent density"],
  ["percent_density:pd_mae", "mean error of percent density"],
];

/** The first of them that a model has: what its task is judged by. */
export function mainFigure(headline: Headline): { name: string; value: number } | null {
  for (const [key, name] of SHOWN) {
    const value = headline[key];
    if (typeof value === "number") return { name, value };
  }
  return null;
}

/** `kappa .612, accuracy .733`; empty where nothing could be measured. */
export function headlineText(headline: Headline): string {
  return SHOWN.flatMap(([key, name]) => {
    const value = headline[key];
    return typeof value === "number" ? [`${name} ${figure(value)}`] : [];
  }).join(", ");
}

/** A headline, whose it is, and why it is empty; as a version and a run have them. */
export type Headlined = Pick<Model, "headline" | "headline_split" | "headline_patients" | "headline_reason">;

/** Whether the figures are of patients who had no part in the model. */
export function isUnseen({ headline_split: split }: Pick<Model, "headline_split">): boolean {
  return split === "test" || split === "audit";
}

/** A figure of few is not one of many: in a list it says of how many, and its interval stands in the report. */
const withPatients = (figures: string, patients: number | null): string =>
  patients === null ? figures : `${figures} (${patients} ${patients === 1 ? "patient" : "patients"})`;

/** What is known of a model on patients that it never saw; where nothing is, why, and what validation says instead. */
export function unseenText(of: Headlined): string {
  const figures = headlineText(of.headline);
  const text = figures && withPatients(figures, of.headline_patients);
  if (isUnseen(of)) return text || `none: ${reasonOfNull(of.headline_reason)}`;
  if (of.headline_split === "val" && text)
    return `no test patient yet; on validation patients, who chose the weights: ${text}`;
  return "no test patient yet";
}
