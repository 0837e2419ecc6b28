import { expect, it } from "vitest";
import { progressText } from "./progress";

const job = { done: 41, total: 100, message: "scoring", eta_s: 360, state: "running" };

it("says how far, what, and how long still", () =>
  expect(progressText(job)).toBe("41 %, scoring, 6 min left"));

it("leaves the time to a job that tells it itself", () =>
  expect(progressText({ ...job, message: "main, loss 0.4, 3 min left" })).toBe(
    "41 %, main, loss 0.4, 3 min left",
  ));

it("says that nobody has taken it yet", () =>
  expect(progressText({ ...job, state: "queued" })).toBe("waiting for a worker"));
