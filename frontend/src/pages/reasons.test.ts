import { expect, it } from "vitest";
import { entryText, partsOf, reasonText } from "./reasons";

const part = (rank: number, weight = 1) => ({ value: rank / 2, rank, weight });

it("names what the model is unsure of, the heaviest first", () => {
  const reason = { parts: { mass: part(0.6), density: part(0.9), asymmetry: part(0.1) } };
  expect(partsOf(reason).map((p) => p.part)).toEqual(["density", "mass", "asymmetry"]);
  expect(reasonText(reason)).toBe("unsure of density and mass");
});

it("says so where the model is sure, or where nothing is known", () => {
  expect(reasonText({ parts: { mass: part(0.1) } })).toBe("the model is fairly sure, least of mass");
  expect(reasonText({ why: "unscored", parts: {} })).toBe("no score yet: in drawn order");
  expect(reasonText(null)).toBe("not ranked yet: in drawn order");
});

it("does not speak of a model where none ranks: validation and test exams", () => {
  expect(entryText({ tier: 0, reason: { parts: { mass: part(0.9) } } })).toMatch(/read first/);
});
