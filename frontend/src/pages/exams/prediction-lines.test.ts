import { expect, it } from "vitest";
import { predictionLines } from "./prediction-lines";

const prob = (level: string, class_index: number, value: number) => ({
  level,
  kind: "prob",
  target: "density",
  class_index,
  prob: value,
});

it("averages densities over images where the exam itself was not asked", () => {
  const units = [
    { unit: "i1", rows: [prob("image", 2, 0.8)] },
    { unit: "i2", rows: [prob("image", 2, 0.6)] },
  ];
  expect(predictionLines(units)).toEqual([{ what: "density c", value: 0.7 }]);
  expect(predictionLines([...units, { unit: "e", rows: [prob("exam", 2, 0.5)] }])).toEqual([
    { what: "density c", value: 0.5 },
  ]);
});

it("lists the surest boxes, and no single pass of several", () => {
  const box = (score: number, member = -1) => ({
    level: "finding",
    kind: "box",
    target: "mass",
    score,
    member,
  });
  expect(predictionLines([{ unit: "i", rows: [box(0.2), box(0.9), box(0.99, 3)] }])).toEqual([
    { what: "1. mass", value: 0.9 },
    { what: "2. mass", value: 0.2 },
  ]);
});
