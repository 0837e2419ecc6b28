import { expect, it } from "vitest";
import { type Candidate, refusalOf } from "./two";

const model = (number: number, task = "density"): Candidate => ({ number, task, model: `m${number}` });

it("two models of one task are compared, and nothing else", () => {
  expect(refusalOf([model(1), model(2)])).toBeNull();
  expect(refusalOf([])).toBe("Tick two models.");
  expect(refusalOf([model(1)])).toBe("Tick one more.");
  expect(refusalOf([model(1), model(2), model(3)])).toBe("Two at a time, and 3 are ticked.");
  expect(refusalOf([model(1), model(2, "lesion_detection")])).toBe(
    "One learned density, the other lesion detection.",
  );
});
