/** The rows of a model's predictions as a few lines. Pure. */

import { words } from "../../ui/format";
import type { PredictionUnit } from "../contract";

const DENSITIES = ["a", "b", "c", "d"];
const MOST_BOXES = 5;

export interface PredictionLine {
  readonly what: string;
  readonly value: number;
}

/** Density probabilities of the exam (the mean over its images where only they were asked), then the surest boxes. */
export function predictionLines(units: readonly PredictionUnit[]): PredictionLine[] {
  const rows = units.flatMap((unit) => unit.rows).filter((row) => row.member === -1);
  const whole = rows.filter((row) => row.kind === "prob" && row.target === "density" && row.level === "exam");
  const density = whole.length
    ? whole
    : rows.filter((row) => row.kind === "prob" && row.target === "density");
  const byClass = DENSITIES.flatMap((name, index) => {
    const of = density.flatMap((row) =>
      row.class_index === index && typeof row.prob === "number" ? [row.prob] : [],
    );
    return of.length
      ? [{ what: `density ${name}`, value: of.reduce((sum, p) => sum + p, 0) / of.length }]
      : [];
  });
  const boxes = rows
    .flatMap((row) =>
      row.kind === "box" && typeof row.score === "number"
        ? [{ what: words(row.target), value: row.score }]
        : [],
    )
    .sort((a, b) => b.value - a.value)
    .slice(0, MOST_BOXES)
    .map((box, i) => ({ ...box, what: `${i + 1}. ${box.what}` }));
  const classes = rows
    .flatMap((row) =>
      row.kind === "prob" && row.target !== "density" && row.level !== "finding" && row.class_index === 1
        ? [{ what: [words(row.target), row.laterality].filter(Boolean).join(", "), value: row.prob ?? 0 }]
        : [],
    )
    .sort((a, b) => b.value - a.value)
    .slice(0, MOST_BOXES);
  return [...byClass, ...classes, ...boxes];
}
