import { describe, expect, it } from "vitest";
import type { Method } from "../contract";
import { byTask, costTexts, needText, shortCount, sizeText } from "./cards";

const method = (name: string, task: Method["task"]): Method =>
  ({
    name,
    task,
    needs: [{ label: "box", min_train: 2, min_classes: 1, min_per_class: 1, views: [] }],
    inputs: { unit: "breast", views: ["CC", "MLO"], missing: "token" },
    sizes: ["tiny", "large"],
    parameters: { tiny: 347_584, large: 36_392_072 },
  }) as unknown as Method;

describe("cards of methods", () => {
  it("stand in the order in which an exam is read", () => {
    const groups = byTask([method("a", "asymmetry"), method("b", "density"), method("c", "density")]);
    expect(groups.map(([task, own]) => [task, own.length])).toEqual([
      ["density", 2],
      ["asymmetry", 1],
    ]);
  });

  it("say what a method needs and how large it is", () => {
    expect(needText(method("a", "asymmetry"))).toBe("2 marked findings; CC, MLO");
    expect(sizeText(method("a", "asymmetry"))).toBe("tiny 348\u00a0k, large 36.4\u00a0M");
    expect(shortCount(195)).toBe("195");
  });

  it("say what a method cost here, and nothing where it was never trained", () => {
    const cost = { size: "tiny", device: "cpu", runs: 4, median_seconds: 180, peak_gpu_mb: null };
    const costs = [
      { ...cost, peak_ram_mb: 1100 },
      { ...cost, peak_ram_mb: 2048, size: "large", device: "cuda", peak_gpu_mb: 9000 },
      { ...cost, peak_ram_mb: null, size: "large", device: null, runs: 1 },
    ];
    expect(costTexts({ costs })).toEqual([
      "tiny on cpu: 3 min, median of 4 runs; 1.2 GB of memory at most",
      "large on cuda: 3 min, median of 4 runs; 2.1 GB of memory, 9.4 GB on the GPU at most",
      "large: 3 min, one run",
    ]);
    expect(costTexts({ costs: [] })).toEqual([]);
  });
});
