import { expect, it } from "vitest";
import { fieldLines } from "./problem";

it("names each field that the server did not take, with what it said", () => {
  expect(fieldLines({ fields: { name: ["Too long.", "Odd."], seed: "No number." } })).toEqual([
    "name: Too long. Odd.",
    "seed: No number.",
  ]);
  expect(fieldLines({ fields: ["Whole form is wrong."] })).toEqual(["Whole form is wrong."]);
  expect(fieldLines({ modality: "SR" })).toEqual([]);
  expect(fieldLines(null)).toEqual([]);
});
