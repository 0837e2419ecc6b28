import { expect, it } from "vitest";
import type { PredictionRow, PredictionUnit } from "../contract";
import { predictionLines } from "./prediction-lines";

const told = {
  patient_id: "p",
  exam_id: "e",
  image_id: null,
  laterality: null,
  member: -1,
  split: "test",
  model_version: "m",
};
const unit = (name: string, rows: PredictionRow[]): PredictionUnit => ({
  unit: name,
  exam_id: "e",
  split: "test",
  rows,
});
const prob = (level: string, class_index: number, value: number): PredictionRow => ({
  ...told,
  level,
  kind: "prob",
  target: "density",
  class_index,
  prob: value,
});

it("averages densities over images where the exam itself was not asked", () => {
  const units = [unit("i1", [prob("image", 2, 0.8)]), unit("i2", [prob("image", 2, 0.6)])];
  expect(predictionLines(units)).toEqual([{ what: "density c", value: 0.7 }]);
  expect(predictionLines([...units, unit("e", [prob("exam", 2, 0.5)])])).toEqual([
    { what: "density c", value: 0.5 },
  ]);
});

it("lists the surest boxes, and no single pass of several", () => {
  const box = (score: number, member = -1): PredictionRow => ({
    ...told,
    level: "image",
    kind: "box",
    target: "mass",
    score,
    member,
  });
  expect(predictionLines([unit("i", [box(0.2), box(0.9), box(0.99, 3)])])).toEqual([
    { what: "1. mass", value: 0.9 },
    { what: "2. mass", value: 0.2 },
  ]);
});
