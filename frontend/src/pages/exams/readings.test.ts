import { expect, it } from "vitest";
import { breastsText, findingsText } from "./readings";

it("says what a reading says of each breast", () => {
  const breasts = { R: { density: "c", birads: "2" }, L: { density: "b", birads: null } };
  expect(breastsText({ breasts })).toBe("R density c, BI-RADS 2 · L density b");
  expect(breastsText({})).toBe("");
});

it("names findings with side and category", () => {
  const findings = {
    a: { type: "architectural_distortion", laterality: "R" as const, birads: "4A" },
    b: { type: "mass" },
  };
  expect(findingsText({ findings })).toBe("architectural distortion R, BI-RADS 4A; mass");
});
