/** Methods in groups, and their figures in words. Pure. */

import { bytes, counted, duration, words } from "../../ui/format";
import type { Method } from "../contract";

const ORDER = [
  "density",
  "lesion_detection",
  "segmentation",
  "lesion_classification",
  "exam_classification",
  "asymmetry",
];

/** Methods by their main task, in the order in which an exam is read. */
export function byTask(methods: readonly Method[]): [task: string, own: Method[]][] {
  const place = (task: string) => (ORDER.includes(task) ? ORDER.indexOf(task) : ORDER.length);
  const tasks = [...new Set(methods.map((method) => method.task))].sort((a, b) => place(a) - place(b));
  return tasks.map((task) => [task, methods.filter((method) => method.task === task)]);
}

const LABELS: Readonly<Record<string, string>> = {
  density: "exams with a density",
  box: "marked findings",
  outline: "outlines",
  pathology: "findings with a pathology",
  outcome: "breasts with an outcome",
  asymmetry: "asymmetries",
  image_class: "images, with and without a finding",
  breast_class: "breasts, with and without a finding",
  exam_class: "exams, with and without a finding",
  pair_class: "pairs of breasts, with and without an asymmetry",
};

/** `2 marked findings; R-CC, L-CC`: what a snapshot must hold, and the views that it reads. */
export function needText(method: Method): string {
  const labels = method.needs.map((need) => `${need.min_train} ${LABELS[need.label] ?? words(need.label)}`);
  const views = method.inputs.views ?? [];
  return [
    ...(labels.length ? labels : ["no label of its own"]),
    ...(views.length ? [views.join(", ")] : []),
  ].join("; ");
}

/** `tiny 348 k, large 36.4 M`: how many weights each size has. */
export function sizeText(method: Method): string {
  return method.sizes.map((size) => `${size} ${shortCount(method.parameters[size] ?? 0)}`).join(", ");
}

/** `tiny on cpu: 3 min, median of 4 runs; 1.2 GB of memory at most`: a line for each size and device tried here. */
export function costTexts(method: Pick<Method, "costs">): string[] {
  return method.costs.map(({ size, device, runs, median_seconds: seconds, ...peaks }) => {
    const where = device ? `${size} on ${device}` : size;
    const took = `${duration(seconds)}, ${runs === 1 ? "one run" : `median of ${counted(runs, "run")}`}`;
    const memory = memoryText(peaks);
    return `${where}: ${took}${memory ? `; ${memory} at most` : ""}`;
  });
}

/** `1.2 GB of memory, 9.1 GB on the GPU`; empty where nothing was measured. MiB come in. */
export function memoryText(peaks: { peak_ram_mb?: unknown; peak_gpu_mb?: unknown }): string {
  const parts = [
    [peaks.peak_ram_mb, "of memory"],
    [peaks.peak_gpu_mb, "on the GPU"],
  ];
  return parts
    .filter(([mb]) => typeof mb === "number" && mb > 0)
    .map(([mb, where]) => `${bytes(Number(mb) * 2 ** 20)} ${where}`)
    .join(", ");
}

export function shortCount(n: number): string {
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)}\u00a0M`;
  return n >= 1e3 ? `${Math.round(n / 1e3)}\u00a0k` : String(n);
}

/** A note without the marks that code has in docs. */
export function plain(note: string): string {
  return note.replaceAll("`", "");
}
