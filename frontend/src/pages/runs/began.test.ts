import { expect, it } from "vitest";
import { percent } from "../../ui/format";
import { beganText, stageReports } from "./began";

it("each stage says what it began with and how much of that was used", () => {
  const main = { init: "weights_file", loaded: 62, share: 1 };
  const heads = { init: "scratch", weights_file: "the network has no trunk" };
  expect(stageReports({ stages: { main, heads } }).map(([name]) => name)).toEqual(["main", "heads"]);
  expect(beganText(main)).toBe(`weights file, 62 keys, ${percent(1)} of what was wanted`);
  expect(beganText(heads)).toBe("from scratch, not from the file: the network has no trunk");
  expect(stageReports({})).toEqual([]);
});
