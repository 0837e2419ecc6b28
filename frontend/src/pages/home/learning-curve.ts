/** What reading has bought: the headline of each model against the exams of its snapshot. Pure. */

import type { Point } from "../../ui/charts/scale";
import { words } from "../../ui/format";
import type { Counts, Model } from "../contract";
import { isUnseen, mainFigure } from "../models/headline";

export interface NamedPoints {
  readonly name: string;
  readonly points: readonly Point[];
}

/** One series for each task, by the figure that it is judged by, in order of exams; of several models of one snapshot the newest counts. */
export function boughtSeries(
  models: readonly Pick<Model, "task" | "number" | "snapshot" | "headline" | "headline_split">[],
  snapshots: readonly { id: string; counts: Pick<Counts, "exams"> | null }[],
): NamedPoints[] {
  const exams = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot.counts?.exams]));
  const found = new Map<string, Map<number, number>>();
  for (const model of [...models].sort((a, b) => a.number - b.number)) {
    const x = exams.get(model.snapshot);
    if (x === undefined) continue;
    // Validation patients chose the weights: what a model is worth on them is no point of this curve.
    const main = isUnseen(model) ? mainFigure(model.headline) : null;
    if (!main) continue;
    // Of other patients a figure moves for other reasons than what was read: another line.
    const whom = model.headline_split === "test" ? "" : `, ${model.headline_split} patients`;
    const name = `${words(model.task)}: ${main.name}${whom}`;
    const points = found.get(name) ?? new Map<number, number>();
    found.set(name, points.set(x, main.value));
  }
  return [...found].map(([name, points]) => ({
    name,
    points: [...points].map(([x, y]) => ({ x, y })).sort((a, b) => a.x - b.x),
  }));
}
