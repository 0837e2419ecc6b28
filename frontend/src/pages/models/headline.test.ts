import { expect, it } from "vitest";
import { headlineText, mainFigure } from "./headline";

it("names the few figures that stand for a model", () => {
  expect(headlineText({ macro_f1: 0.2, accuracy: 0.5, qwk: 0.61 })).toBe("kappa .610, accuracy .500");
  expect(headlineText({ "any:froc_sens@1": 0.5, "any:froc_sens@2": 0.6, "any:cpm": null })).toBe(
    "sensitivity at 1 FP an image .500",
  );
  expect(headlineText({ "any:cpm": null, "any:cpm:complete": 0.5 })).toBe("CPM (all images) .500");
  expect(headlineText({ qwk: null })).toBe("");
});

it("judges a model by the first figure that it has", () => {
  expect(mainFigure({ accuracy: 0.5, qwk: null })).toEqual({ name: "accuracy", value: 0.5 });
  expect(mainFigure({})).toBeNull();
});
