import { expect, test } from "vitest";
import { labelsText } from "./near";

test("the labels of an exam are said in one line, unknown pathology left out", () => {
  const finding = { laterality: "R", birads: null };
  expect(
    labelsText({
      density: "c",
      findings: [
        { ...finding, type: "mass", pathology: "malignant" },
        { ...finding, type: "architectural_distortion", laterality: null, pathology: "unknown" },
      ],
    }),
  ).toBe("density c · mass R, malignant; architectural distortion");
  expect(labelsText({ density: null, findings: [] })).toBe("no finding");
});
