/** The bars of a report: a task's main figure beside its baselines, and by density, size or view. Pure. */

import type { FigureBar } from "../../ui/charts/figure-bars";
import { counted, words } from "../../ui/format";
import type { Metric } from "../contract";
import { figureLines, figureName, reasonOfNull } from "./report";

export interface BarPlot {
  readonly title: string;
  readonly rows: readonly FigureBar[];
}

const MAIN = ["qwk", "accuracy", "auc", "dice", "cpm", "froc_sens@1"];
const GROUPS = ["density", "finding_type", "size", "view"];

const barOf = (name: string, row: Metric): FigureBar => ({
  name,
  value: row.value,
  ci: row.ci ? [row.ci[0], row.ci[1]] : null,
  note: row.value === null ? reasonOfNull(row.reason) : counted(row.n_units, "case"),
});

/** How many cases a class has is not told here: the row counts all of them. */
const ofClass = (row: Metric): FigureBar => ({
  ...barOf(row.metric.slice(3), row),
  note: row.value === null ? reasonOfNull(row.reason) : "",
});

const isMain = ({ metric }: Metric): boolean => MAIN.includes(metric);

/** The plots of a split: what has no value anywhere is left out. */
export function barPlots(metrics: readonly Metric[], split: string): BarPlot[] {
  const own = metrics.filter((row) => row.split === split);
  const models = own.filter((row) => row.series === "model");
  const target = models.find((row) => isMain(row) && !row.subgroup)?.target;
  const plots: BarPlot[] = [];
  const line = figureLines(own).find(({ model }) => isMain(model) && !model.subgroup && model.value !== null);
  if (line && line.beside.length > 0) {
    plots.push({
      title: `${figureName(line.model.name)}: the model and its baselines`,
      rows: [barOf("model", line.model), ...line.beside.map(({ name, value }) => barOf(words(name), value))],
    });
  }
  const classes = models.filter((row) => row.metric.startsWith("f1:") && !row.subgroup);
  if (classes.some((row) => row.value !== null)) {
    plots.push({ title: "F1 of each class", rows: classes.map(ofClass) });
  }
  for (const group of GROUPS) {
    const inGroup = models.filter((row) => row.subgroup?.[group] && row.target === target && isMain(row));
    const first = inGroup[0];
    if (!first || inGroup.every((row) => row.value === null)) continue;
    plots.push({
      title: `${figureName(first.name)} by ${words(group)}`,
      rows: inGroup
        .filter((row) => row.name === first.name && row.level === first.level)
        .map((row) => barOf(words(row.subgroup?.[group]), row)),
    });
  }
  return plots;
}
