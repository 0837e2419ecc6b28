import { expect, test } from "vitest";
import { comparedTargets, overlaid, pairsOf, settingText, verdictOf } from "./comparing";

const row = (
  series: "model" | "baseline" | "difference",
  metric: string,
  value: number,
  ci: [number, number] | null,
) => ({
  name: series === "model" ? metric : `${series}:other:${metric}`,
  metric,
  series,
  baseline: series === "model" ? null : "other",
  target: "density",
  level: "exam",
  split: "test",
  subgroup: null,
  value,
  ci,
  ci_method: null,
  n_patients: 40,
  n_units: 40,
  n_pos: 20,
  n_neg: 20,
  params: {},
});
const figureOf = (metric: string, ci: [number, number] | null, better = false) => [
  row("model", metric, 0.8, null),
  row("baseline", metric, 0.6, null),
  { ...row("difference", metric, 0.2, ci), params: { better } },
];

test("the second model stands where a baseline does, and the evidence is said in words", () => {
  const metrics = [
    ...figureOf("qwk", [0.1, 0.3], true),
    ...figureOf("brier", [0.1, 0.3]),
    ...figureOf("accuracy", [-0.1, 0.5]),
    ...figureOf("macro_f1", null),
    row("model", "kappa", 0.1, null),
  ];
  const pairs = pairsOf(metrics, "test");
  expect(pairs.map((pair) => [pair.name, verdictOf(pair)])).toEqual([
    ["qwk", "first is better"],
    ["brier", "second is better"],
    ["accuracy", "no evidence"],
    ["macro_f1", "too few to tell"],
  ]);
  expect([pairs[0]?.first.value, pairs[0]?.second.value, pairs[0]?.headline]).toEqual([0.8, 0.6, true]);
  expect(pairsOf(metrics, "val")).toEqual([]);
});

test("curves of both lie in one plot, told apart by name and dash, without the baselines", () => {
  const roc = (tpr: number) => ({
    roc: [
      { split: "test", target: "x", series: "model", fpr: [0, 1], tpr: [tpr, 1] },
      { split: "test", target: "x", series: "baseline:prior", fpr: [0, 1], tpr: [0, 1] },
    ],
  });
  const [plot, ...more] = overlaid(roc(0.5), roc(0.7), "test", ["model 1", "model 2"], new Set("x"));
  expect(more).toEqual([]);
  expect(plot?.series.map(({ name, style }) => [name, style])).toEqual([
    ["model 1", "one"],
    ["model 2", "two"],
  ]);
  expect(overlaid({}, {}, "test", ["a", "b"], new Set("x"))).toEqual([]);
  expect(overlaid(roc(0.5), { roc: [] }, "test", ["a", "b"], new Set("x"))).toEqual([]);
});

test("of detectors that were asked for different findings the FROC of those of both is drawn", () => {
  const froc = (...targets: string[]) => ({
    froc: targets.map((target) => ({
      split: "test",
      target,
      series: "model",
      criterion: "centre",
      fp_on: "normal" as const,
      fp_per_image: [0, 1],
      sensitivity: [0, 1],
      threshold: [1, 0],
    })),
  });
  const compared = comparedTargets([{ ...row("model", "cpm", 1, null), target: "mass" }], "test");
  const plots = overlaid(
    froc("any", "mass", "calcification"),
    froc("any", "mass"),
    "test",
    ["a", "b"],
    compared,
  );
  expect(plots.map((plot) => plot.title)).toEqual(["FROC, mass"]);
});

test("a setting is shown as it was set", () => {
  expect([null, 60, [1, 2], ["mass"], [], { a: 1 }].map(settingText)).toEqual([
    "—",
    "60",
    "1, 2",
    "mass",
    "—",
    '{"a":1}',
  ]);
});

test("a paired dense-tissue gap stands with the leading figures, and its verdict is whose is smaller", () => {
  const pairs = pairsOf(figureOf("dense_gap", [-0.3, -0.1], true), "test");
  expect(pairs.map((pair) => [pair.headline, verdictOf(pair)])).toEqual([[true, "smaller in first"]]);
  const neither = pairsOf(figureOf("dense_gap", [-0.3, 0.1]), "test");
  expect(neither.map(verdictOf)).toEqual(["no evidence"]);
});
