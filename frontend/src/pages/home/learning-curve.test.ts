import { expect, it } from "vitest";
import { boughtSeries } from "./learning-curve";

const model = (number: number, snapshot: string, qwk: number | null) => ({
  task: "density",
  number,
  snapshot,
  headline: { qwk },
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
