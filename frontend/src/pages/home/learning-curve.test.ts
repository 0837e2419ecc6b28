import { expect, it } from "vitest";
import { boughtSeries } from "./learning-curve";

const model = (number: number, snapshot: string, qwk: number | null, headline_split = "test") => ({
  task: "density",
  number,
  snapshot,
  headline: { qwk },
  headline_split,
});
const snapshots = [
  { id: "a", counts: { exams: 10 } },
  { id: "b", counts: { exams: 30 } },
];

it("draws each figure against the exams of the snapshot, the newest model of a snapshot counting", () => {
  const series = boughtSeries([model(3, "b", 0.7), model(1, "a", 0.2), model(2, "a", 0.4)], snapshots);
  expect(series).toEqual([
    {
      name: "density: kappa",
      points: [
        { x: 10, y: 0.4 },
        { x: 30, y: 0.7 },
      ],
    },
  ]);
});

it("leaves out what has no value, and models of snapshots that it does not know", () => {
  expect(boughtSeries([model(1, "a", null), model(2, "gone", 0.5)], snapshots)).toEqual([]);
});

it("joins no point of validation patients to those of test patients, and audit patients have a line of their own", () => {
  const models = [model(1, "a", 0.9, "val"), model(2, "b", 0.7), model(3, "b", 0.6, "audit")];
  expect(boughtSeries(models, snapshots)).toEqual([
    { name: "density: kappa", points: [{ x: 30, y: 0.7 }] },
    { name: "density: kappa, audit patients", points: [{ x: 30, y: 0.6 }] },
  ]);
});
