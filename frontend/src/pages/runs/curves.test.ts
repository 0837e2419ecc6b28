import { describe, expect, it } from "vitest";
import type { RunEvent } from "../contract";
import { curvesOf, eventText, lastOf, stageLosses } from "./curves";

let seq = 0;
function event(type: string, fields: Partial<RunEvent>): RunEvent {
  seq += 1;
  return { seq, attempt: 1, t: "2026-11-23T22:00:00Z", type, ...fields };
}
const train = (step: number, loss: number, stage = "main") =>
  event("metric", { stage, step, split: "train", values: { loss, lr: 0.001 } });

describe("the curves of a run", () => {
  it("put one stage after the other on one axis", () => {
    const curves = curvesOf([
      event("stage_started", { stage: "warm", planned_steps: 10 }),
      train(10, 2, "warm"),
      event("stage_started", { stage: "main", planned_steps: 20 }),
      train(5, 1),
      train(20, 0.5),
    ]);
    expect(curves.trainLoss).toEqual([
      { x: 10, y: 2 },
      { x: 15, y: 1 },
      { x: 30, y: 0.5 },
    ]);
    expect(curves.stages.map((stage) => stage.at)).toEqual([0, 10]);
    expect([curves.planned, curves.step]).toEqual([30, 30]);
  });

  it("show each validation figure once, and leave out what has no value", () => {
    const values = { loss: 1.2, qwk: 0.4, headline: 0.4, accuracy: null };
    const curves = curvesOf([event("metric", { stage: "main", step: 5, split: "val", values })]);
    expect(curves.valLoss).toEqual([{ x: 5, y: 1.2 }]);
    expect(curves.validation).toEqual([{ name: "qwk", points: [{ x: 5, y: 0.4 }] }]);
  });

  it("take a step that was told twice, after a resume, as it was told last", () => {
    expect(curvesOf([train(5, 1), train(10, 0.9), train(5, 0.8)]).trainLoss).toEqual([
      { x: 5, y: 0.8 },
      { x: 10, y: 0.9 },
    ]);
  });

  it("do not count the steps of preparing images as steps of training", () => {
    const preparing = event("progress", { stage: "prepare", step: 30, planned_steps: 36 });
    expect(curvesOf([preparing]).step).toBe(0);
  });

  it("begin with the loss of single steps until there are means", () => {
    const first = event("progress", { stage: "main", step: 2, loss: 3 });
    expect(curvesOf([first]).trainLoss).toEqual([{ x: 2, y: 3 }]);
  });
});

it("says on one line what an event says", () => {
  expect(eventText(train(5, 0.41234))).toBe("train step 5 · loss 0.412");
  expect(eventText(event("failed", { code: "learning.diverged", text: "NaN" }))).toBe(
    "learning.diverged: NaN",
  );
  const started = { stage: "main", index: 0, of: 1, planned_steps: 240 };
  expect(eventText(event("stage_started", started))).toBe("main, 1 of 1, 240 steps");
  expect(eventText(event("something_new", {}))).toBe("");
});

it("finds the last event of a type", () => {
  expect(lastOf([train(1, 1), train(2, 1)], "metric")?.step).toBe(2);
  expect(lastOf([], "metric")).toBeUndefined();
});

it("each stage has its losses in its own steps", () => {
  const curves = {
    trainLoss: [
      { x: 5, y: 2 },
      { x: 10, y: 1 },
      { x: 13, y: 0.5 },
    ],
    valLoss: [{ x: 14, y: 0.7 }],
    validation: [],
    stages: [
      { name: "patches", at: 0, planned: 10 },
      { name: "empty", at: 10, planned: 0 },
      { name: "whole", at: 10, planned: 5 },
    ],
    planned: 15,
    step: 14,
  };
  expect(stageLosses(curves)).toEqual([
    {
      name: "patches",
      planned: 10,
      train: [
        { x: 5, y: 2 },
        { x: 10, y: 1 },
      ],
      validation: [],
    },
    { name: "whole", planned: 5, train: [{ x: 3, y: 0.5 }], validation: [{ x: 4, y: 0.7 }] },
  ]);
});
