import { expect, it } from "vitest";
import type { Method } from "../contract";
import { refusedTasks, taskOf } from "./tasks";

const method = {
  task: "lesion_classification",
  serves: [
    { task: "lesion_classification", refusal: "Needs at least 4 marked findings for training; there are 0." },
    { task: "density", refusal: null },
  ],
} as unknown as Method;

it("a method is trained for a task that the snapshot allows, whatever its main one is", () => {
  expect(taskOf(method, "")).toBe("density");
  expect(taskOf(method, "lesion_classification")).toBe("density");
  expect(refusedTasks(method).map((served) => served.task)).toEqual(["lesion_classification"]);
});
