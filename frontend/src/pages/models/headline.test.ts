import { expect, it } from "vitest";
import { headlineText, mainFigure, unseenText } from "./headline";

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

it("tells figures on unseen patients from those on patients who chose the weights", () => {
  const of = (
    headline_split: string | null,
    headline: Record<string, number | null>,
    reason?: string,
    headline_patients: number | null = null,
  ) => unseenText({ headline, headline_split, headline_patients, headline_reason: reason ?? null });
  expect(of("test", { qwk: 0.61 })).toBe("kappa .610");
  expect(of("test", { qwk: 1 }, undefined, 2)).toBe("kappa 1.000 (2 patients)");
  expect(of("test", { qwk: 1 }, undefined, 1)).toBe("kappa 1.000 (1 patient)");
  expect(of("val", { qwk: 0.61 })).toBe(
    "no test patient yet; on validation patients, who chose the weights: kappa .610",
  );
  expect(of("test", { "tissue:dice:dense": 0.4, "percent_density:pd_mae": 6 })).toBe(
    "Dice of dense tissue .400, mean error of percent density 6.000",
  );
  expect(of("test", { "any:cpm": null }, "no_marks")).toBe("none: no marked finding among these patients");
  expect(of("val", { "any:cpm": null }, "no_marks")).toBe("no test patient yet");
  expect(of(null, {})).toBe("no test patient yet");
});
