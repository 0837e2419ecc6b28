import { expect, test } from "vitest";
import type { Metric } from "../contract";
import { barPlots } from "./bars";

const row = (more: Partial<Metric>): Metric => ({
  name: "dice",
  metric: "dice",
  series: "model",
  baseline: null,
  target: "any",
  level: "image",
  split: "test",
  subgroup: null,
  value: 0.6,
  ci: [0.5, 0.7],
  ci_method: null,
  n_patients: 12,
  n_units: 24,
  n_pos: 12,
  n_neg: 12,
  params: {},
  ...more,
});

test("a segmentation has its main figure beside its baselines, and a bar for each density", () => {
  const otsu = {
    name: "baseline:otsu:dice",
    series: "baseline" as const,
    baseline: "otsu",
    value: 0.1,
    ci: null,
  };
  const plots = barPlots(
    [
      row({}),
      row(otsu),
      row({ subgroup: { density: "A+B" }, value: 0.7 }),
      row({ subgroup: { density: "C+D" }, value: null, reason: "too_few", ci: null }),
      row({ subgroup: { view: "CC" }, value: null, reason: "too_few", ci: null }),
    ],
    "test",
  );
  expect(plots.map(({ title }) => title)).toEqual(["Dice: the model and its baselines", "Dice by density"]);
  expect(plots[0]?.rows.map(({ name, value }) => [name, value])).toEqual([
    ["model", 0.6],
    ["otsu", 0.1],
  ]);
  expect(plots[1]?.rows.map(({ name, note }) => [name, note])).toEqual([
    ["A+B", "24 cases"],
    ["C+D", "too few patients"],
  ]);
  expect(barPlots([row({})], "val")).toEqual([]);
});
