import { expect, test } from "vitest";
import { overlaid, settingText, shownRows, verdictOf } from "./comparing";

const row = (name: string, better: string | null, ci: [number, number] | null) => ({
  split: "test",
  target: "density",
  level: "exam",
  name,
  first: 0.8,
  second: 0.6,
  difference: 0.2,
  ci,
  better,
  n_patients: 20,
  params: {},
});

test("what models are judged by comes first, and the evidence is said in words", () => {
  const { main, rest } = shownRows([row("qwk", "first", [0.1, 0.3]), row("kappa_linear", null, [-0.1, 0.3])]);
  expect(main.map(verdictOf)).toEqual(["first is better"]);
  expect(rest.map(verdictOf)).toEqual(["no evidence"]);
  expect(verdictOf(row("qwk", null, null))).toBe("too few patients");
});

test("curves of both lie in one plot, told apart by name and dash, without the baselines", () => {
  const roc = (tpr: number) => ({
    roc: [
      { split: "test", target: "x", series: "model", fpr: [0, 1], tpr: [tpr, 1] },
      { split: "test", target: "x", series: "baseline:prior", fpr: [0, 1], tpr: [0, 1] },
    ],
  });
  const [plot, ...more] = overlaid(roc(0.5), roc(0.7), "test", ["model 1", "model 2"]);
  expect(more).toEqual([]);
  expect(plot?.series.map(({ name, style }) => [name, style])).toEqual([
    ["model 1", "one"],
    ["model 2", "two"],
  ]);
  expect(overlaid({}, {}, "test", ["a", "b"])).toEqual([]);
});

test("a setting is shown as it was set", () => {
  expect([settingText(null), settingText(60), settingText([1, 2])]).toEqual(["—", "60", "[1,2]"]);
});
