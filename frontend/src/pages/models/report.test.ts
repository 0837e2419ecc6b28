import { describe, expect, it } from "vitest";
import type { Metric } from "../contract";
import {
  commonNotes,
  figureLines,
  figureName,
  gapText,
  notesOf,
  reasonOfNull,
  splitsOf,
  spoken,
  verdict,
} from "./report";

function row(name: string, fields: Partial<Metric> = {}): Metric {
  return {
    name,
    metric: name,
    ci_method: "bootstrap",
    n_patients: 11,
    n_units: 11,
    n_pos: 7,
    n_neg: 4,
    params: {},
    series: "model",
    baseline: null,
    target: "density",
    level: "exam",
    split: "test",
    subgroup: null,
    value: 0.5,
    ci: [0.4, 0.6],
    ...fields,
  };
}

describe("the figures of a model", () => {
  const metrics = [
    row("qwk", { value: 0.7 }),
    row("baseline:prior:qwk", { series: "baseline", baseline: "prior", value: 0 }),
    row("difference:prior:qwk", { series: "difference", baseline: "prior", value: 0.7, ci: [0.2, 0.9] }),
    row("qwk", { split: "val", value: 0.9 }),
    row("ece"),
    row("qwk", { subgroup: { view: "CC" } }),
  ];
  const lines = figureLines(metrics);

  it("have their baseline of the same split beside them, with the difference", () => {
    expect(lines[0]?.beside).toEqual([{ name: "prior", value: metrics[1], difference: metrics[2] }]);
    expect(lines[1]?.beside).toEqual([]);
  });

  it("are headlines only over all patients", () =>
    expect(lines.map((line) => line.headline)).toEqual([true, true, false, false]));

  it("begin with the patients that the model never saw", () =>
    expect(splitsOf(metrics)).toEqual(["test", "val"]));
});

it.each([
  ["froc_sens@1", "Sensitivity at 1 false positive an image"],
  ["froc_sens@0.25:complete", "Sensitivity at 0.25 false positives an image (on all images)"],
  ["froc_sens@2:iou>=0.5", "Sensitivity at 2 false positives an image (hit: overlap of at least 0.5)"],
  ["fp_per_image:complete", "False positives an image at the threshold of validation (on all images)"],
  ["ap@0.5", "Average precision at overlap 0.5"],
  ["ap@0.5:0.95", "Average precision at overlaps of 0.5 to 0.95"],
  ["map@0.1", "Mean average precision over finding types at overlap 0.1"],
  ["map@0.5:0.95", "Mean average precision over finding types at overlaps of 0.5 to 0.95"],
  ["qwk", "Kappa, quadratic weights"],
  ["something_new", "something new"],
])("%s is called %s", (name, text) => expect(figureName(name)).toBe(text));

it("says why a figure has no value", () => {
  expect(reasonOfNull("no_marks")).toBe("no marked finding among these patients");
  expect(reasonOfNull("other_thing")).toBe("other thing");
  expect(reasonOfNull(null)).toBe("not defined here");
});

// The same cases as of the model card, tests/ml/training/test_card.py.
it.each<[[number, number] | null, Metric["params"], string]>([
  [[0.1, 0.5], { better: true }, "better"],
  [[-0.5, -0.1], { better: true }, "better"],
  [[-0.1, 0.5], { better: false }, "no better"],
  [[0, 0.5], { better: false }, "no better"],
  [[-0.4, -0.1], { better: false }, "worse"],
  [[0.1, 0.5], { better: false }, "worse"],
  [[0.1, 0.5], { better: true, wide: true }, "too few to tell"],
  [[-0.4, -0.1], { better: false, wide: true }, "too few to tell"],
  [null, { better: false }, "too few to tell"],
])("of a difference from a baseline in %j with %j it says %s", (ci, params, said) =>
  expect(verdict(row("d", { ci, params }))).toBe(said),
);

it("says nothing where no difference was told", () => expect(verdict(null)).toBe(""));

it("leads with figures on all images where no image is normal to count false positives on", () => {
  const none = { value: null, ci: null, reason: "no_normals" };
  const lines = figureLines([
    row("cpm", none),
    row("cpm:complete"),
    row("froc_sens@1"),
    row("froc_sens@1:complete"),
  ]);
  expect(lines.filter((line) => line.headline).map((line) => line.model.name)).toEqual([
    "cpm:complete",
    "froc_sens@1",
  ]);
});

it("says once why nothing can be said of a finding", () => {
  const none = { target: "calcification", value: null, ci: null, reason: "no_marks" };
  const lines = figureLines([row("cpm", { target: "mass" }), row("cpm", none), row("froc_sens@1", none)]);
  const { told, silent } = spoken(lines);
  expect(told.map((line) => line.model.target)).toEqual(["mass"]);
  expect(silent).toEqual([{ target: "calcification", reason: "no marked finding among these patients" }]);
});

it("says of the dense-tissue gap what its interval is evidence for", () => {
  const gap = { metric: "dense_gap", level: "finding", subgroup: { density: "A+B minus C+D" } };
  const worse = row("dense_gap", {
    ...gap,
    value: 0.2,
    ci: [0.05, 0.4],
    params: { verdict: "worse in dense" },
  });
  expect(gapText(worse)).toBe(
    "Dense-tissue gap: worse in dense; sensitivity at 1 false positive an image in fatty breasts (A, B) minus that in dense ones (C, D) +.200 [.05–.40].",
  );
  expect(gapText(row("dense_gap", { ...gap, value: null, ci: null, reason: "too_few" }))).toBe(
    "Dense-tissue gap: not known, too few patients.",
  );
});

it("notes beside a figure what it leaves out", () => {
  expect(notesOf(row("cpm", { params: { findings_without_mark: 1, truncated: true } }))).toEqual([
    "1 finding without a mark left out",
    "cut off: an image has as many candidates as are kept",
  ]);
  expect(notesOf(row("ece", { params: { unstable: true, marks_not_usable: 2 } }))).toEqual([
    "2 marks not usable",
    "too few cases to be stable",
  ]);
  expect(notesOf(row("ece", { params: { unstable: false } }))).toEqual([]);
});

it("what is noted of each of several figures is said once", () => {
  const cut = row("cpm", { params: { truncated: true } });
  const both = row("cpm", { params: { truncated: true, unstable: true } });
  const note = "cut off: an image has as many candidates as are kept";
  expect(commonNotes([cut, both])).toEqual([note]);
  expect(commonNotes([cut, row("cpm", { params: {} })])).toEqual([]);
  expect(commonNotes([cut])).toEqual([]); // beside the one figure that it is of
});
