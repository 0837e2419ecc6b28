import { expect, it } from "vitest";
import type { Metric } from "../contract";
import { confusionOf, cut, frocSeries, reliabilitySeries, rocKeys, rocSeries, targetsOf } from "./curves";

const froc = (series: string, fp_on: "normal" | "complete") => ({
  split: "test",
  target: "any",
  series,
  fp_on,
  fp_per_image: [0, 0.5, 2],
  sensitivity: [0, 0.4, 0.8],
  threshold: [null, 0.6, 0.2],
  criterion: "iou>=0.2",
});
const ci: Metric = {
  metric: "froc_sens@1",
  series: "model",
  baseline: null,
  ci_method: "bootstrap",
  n_patients: 9,
  n_units: 9,
  n_pos: 5,
  n_neg: 4,
  params: {},
  name: "froc_sens@1",
  target: "any",
  level: "finding",
  split: "test",
  subgroup: null,
  value: 0.4,
  ci: [0.2, 0.6],
};

it("draws the model with its interval and each baseline, false positives on normal images", () => {
  const curves = {
    froc: [froc("model", "normal"), froc("model", "complete"), froc("baseline:brightest_blob", "normal")],
  };
  const series = frocSeries(curves, [ci], "test", "any");
  expect(series.map((s) => s.style)).toEqual(["one", "base"]);
  expect(series[0]?.band).toEqual([{ x: 1, low: 0.2, high: 0.6 }]);
  expect(series[1]?.name).toBe("brightest blob");
  expect(targetsOf(curves, "test")).toEqual(["any"]);
  expect(targetsOf(curves, "val")).toEqual([]);
});

it("takes all complete images where no image is normal", () => {
  expect(frocSeries({ froc: [froc("model", "complete")] }, [], "test", "any")).toHaveLength(1);
});

it("draws the ROC of one way of counting at a time, for the same exam is in each", () => {
  const roc = (level: string, series: string) => ({
    split: "test",
    target: "presence",
    level,
    series,
    fpr: [0, 1],
    tpr: [0, 1],
  });
  const curves = {
    roc: [roc("exam", "model"), roc("exam", "baseline:brightest_spot"), roc("breast", "model")],
  };
  expect(rocKeys(curves, "test")).toEqual(["presence, by exam", "presence, by breast"]);
  expect(rocSeries(curves, "test", "presence, by exam").map((s) => s.name)).toEqual([
    "this model",
    "brightest spot",
  ]);
  expect(rocSeries(curves, "test", "presence, by breast")).toHaveLength(1);
  expect(rocKeys(curves, "val")).toEqual([]);
  expect(rocSeries(curves, "val", undefined)).toEqual([]);
});

it("leaves out empty bins of a reliability curve", () => {
  const curves = {
    reliability: [{ split: "test", target: "density", n: [0, 3], confidence: [0.1, 0.9], observed: [0, 1] }],
  };
  expect(reliabilitySeries(curves, "test")[0]?.points).toEqual([{ x: 0.9, y: 1 }]);
});

it("finds no confusion matrix where there is none", () => {
  expect(confusionOf({}, "test")).toBeNull();
  expect(
    confusionOf({ confusion: [{ split: "test", target: "density", labels: ["A"], matrix: [[3]] }] }, "test"),
  ).toMatchObject({
    labels: ["A"],
    matrix: [[3]],
  });
});

it("cuts a curve where the drawing ends, and lets it hold its value until there", () => {
  const points = [0, 1, 9].map((x) => ({ x, y: x / 10 }));
  expect(cut(points, 4)).toEqual([
    { x: 0, y: 0 },
    { x: 1, y: 0.1 },
    { x: 4, y: 0.1 },
  ]);
  expect(cut(points, 10)).toHaveLength(3);
});
