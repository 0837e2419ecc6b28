import { describe, expect, test } from "vitest";
import { type HungImage, mirrorOf } from "./headers";
import { layoutsFor } from "./layouts";

const image = (name: string, more: Partial<HungImage> = {}): HungImage => {
  const [side, view = ""] = name.split("-");
  const laterality = side === "R" || side === "L" ? side : "";
  return { id: name, laterality, view, patient_orientation: "", presentation: "for_presentation", ...more };
};
const exam = (names: string): HungImage[] => names.split(" ").map((name) => image(name));
const ids = (images: HungImage[], portrait = false) =>
  layoutsFor(images, portrait).map((layout) => layout.rows.map((row) => row.map((cell) => cell.imageId)));

describe("hanging", () => {
  test("four views hang in a row, chest walls meeting", () => {
    const [first] = layoutsFor(exam("L-MLO R-MLO L-CC R-CC"), false);
    expect(first?.rows.map((row) => row.map((cell) => [cell.view, cell.edge]))).toEqual([
      [
        ["R-CC", "right"],
        ["L-CC", "left"],
        ["R-MLO", "right"],
        ["L-MLO", "left"],
      ],
    ]);
  });

  test("and in two rows on an upright screen", () => {
    expect(ids(exam("R-CC L-CC R-MLO L-MLO"), true)[0]).toEqual([
      ["R-CC", "L-CC"],
      ["R-MLO", "L-MLO"],
    ]);
  });

  test("space goes on through pairs", () => {
    const names = layoutsFor(exam("R-CC L-CC R-MLO L-MLO"), false).map((layout) => layout.name);
    expect(names).toEqual(["4-up", "CC", "MLO", "R", "L"]);
  });

  test("two MLO views, as in mini-MIAS, hang as a pair", () => {
    expect(ids(exam("L-MLO R-MLO"))).toEqual([[["R-MLO", "L-MLO"]]]);
  });

  test("one view fills the screen", () => {
    expect(ids(exam("L-MLO"))).toEqual([[["L-MLO"]]]);
  });

  test("a missing view leaves its place empty and moves no other", () => {
    expect(ids(exam("R-CC R-MLO L-MLO"))[0]).toEqual([["R-CC", null, "R-MLO", "L-MLO"]]);
  });

  test("an exam of one breast opens with its pair", () => {
    expect(ids(exam("R-CC R-MLO"))[0]).toEqual([["R-CC", "R-MLO"]]);
  });

  test("views that no layout knows are appended, and so is a second image of a view", () => {
    const images = [...exam("R-CC L-CC R-MLO L-MLO R-ML"), image("R-CC", { id: "R-CC again" })];
    expect(ids(images).at(-1)).toEqual([["R-CC again", "R-ML"]]);
  });

  test("no exam, no layout", () => {
    expect(layoutsFor([], false)).toEqual([]);
  });
});

describe("images for processing", () => {
  // trap 5
  test("hang only where their view has none for presentation", () => {
    const raw = { presentation: "for_processing" as const };
    expect(
      ids([image("R-MLO", { ...raw, id: "raw" }), image("R-MLO"), image("L-MLO", { ...raw, id: "raw L" })]),
    ).toEqual([[["R-MLO", "raw L"]]]);
  });
});

describe("mirroring comes from the header", () => {
  test.each([
    ["R-CC", "P\\L", false, false],
    ["R-CC", "A\\L", true, false],
    ["R-CC", "A\\R", true, true],
    ["L-CC", "A\\R", false, false],
    ["L-CC", "P\\R", true, false],
    ["R-MLO", "P\\FL", false, false],
    ["R-MLO", "A\\F", true, false],
    ["L-MLO", "A\\FR", false, false],
    ["L-MLO", "P\\HL", true, true],
    ["L-MLO", "", false, false],
  ])("%s %j: across %s, upside down %s", (name, patient_orientation, x, y) => {
    expect(mirrorOf(image(name, { patient_orientation }))).toEqual({ x, y });
  });

  // trap 10
  test("an image without a side is never turned over to another", () => {
    expect(mirrorOf(image("-MLO", { patient_orientation: "A\\F" }))).toEqual({ x: false, y: false });
  });
});
