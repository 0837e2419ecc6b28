import { expect, it } from "vitest";
import { emptyDocument, type ReadingDocument } from "../../reading/document";
import { breastsText, findingsText } from "./readings";

it("says what a reading says of each breast", () => {
  const breasts: ReadingDocument["breasts"] = {
    R: { density: "c", birads: "2" },
    L: { density: "b", birads: null },
  };
  expect(breastsText({ ...emptyDocument(), breasts })).toBe("R density c, BI-RADS 2 · L density b");
  expect(breastsText(emptyDocument())).toBe("");
});

it("names findings with side and category", () => {
  const findings: ReadingDocument["findings"] = {
    a: { type: "architectural_distortion", laterality: "R", birads: "4A", order: 1, marks: {} },
    b: { type: "mass", laterality: null, birads: null, order: 2, marks: {} },
  };
  expect(findingsText({ ...emptyDocument(), findings })).toBe("architectural distortion R, BI-RADS 4A; mass");
});
