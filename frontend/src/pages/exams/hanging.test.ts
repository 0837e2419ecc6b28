import { expect, it } from "vitest";
import { findingCount, inHangingOrder, viewName } from "./hanging";

const image = (laterality: string, view: string) => ({ laterality, view });

it("hangs right before left and CC before MLO, what is unknown last", () => {
  const images = [image("", ""), image("L", "MLO"), image("R", "MLO"), image("L", "CC"), image("R", "CC")];
  expect(inHangingOrder(images).map(viewName)).toEqual([
    "R CC",
    "L CC",
    "R MLO",
    "L MLO",
    "side unknown view unknown",
  ]);
});

it("counts findings of all types", () => {
  expect(findingCount({ mass: 2, calcification: 1 })).toBe(3);
  expect(findingCount({})).toBe(0);
});
