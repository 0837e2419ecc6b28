/** The few figures that stand for a model in lists and on the learning curve. Pure. */

import { figure } from "../../ui/format";

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
