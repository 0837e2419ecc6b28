/** From the events of a training to curves. Pure. */

import type { Point } from "../../ui/charts/scale";
import type { RunEvent } from "../contract";

export interface Curves {
  readonly trainLoss: readonly Point[];
  readonly valLoss: readonly Point[];
  /** Figures on validation patients, by name. */
  readonly validation: readonly { readonly name: string; readonly points: readonly Point[] }[];
  /** Where a stage begins, in steps from the start of the run. */
  readonly stages: readonly { readonly name: string; readonly at: number; readonly planned: number }[];
  readonly planned: number;
  readonly step: number;
}

/** Shown by another name already: the figure that early stopping looks at. */
const DOUBLED = new Set(["headline", "lr"]);

/** Stages follow one another on one axis of steps. A step that is told twice (after a resume) counts as told last. */
export function curvesOf(events: readonly RunEvent[]): Curves {
  const stages = stagesOf(events);
  const start = new Map(stages.map((stage) => [stage.name, stage.at]));
  const series = new Map<string, Map<number, number>>();
  let step = 0;
  const put = (name: string, at: number, value: number | null | undefined) => {
    if (typeof value !== "number") return;
    series.set(name, (series.get(name) ?? new Map()).set(at, value));
  };
  for (const event of events) {
    if (typeof event.step !== "number" || !tellsOfTraining(event)) continue;
    const at = (start.get(event.stage ?? "") ?? 0) + event.step;
    step = Math.max(step, at);
    if (event.type === "progress") put("progress", at, event.loss);
    for (const [name, value] of Object.entries(event.values ?? {})) put(`${event.split}:${name}`, at, value);
  }
  const points = (name: string) => inOrder(series.get(name));
  const means = points("train:loss");
  const val = [...series.keys()].filter((name) => name.startsWith("val:")).map((name) => name.slice(4));
  return {
    trainLoss: means.length > 1 ? means : points("progress"),
    valLoss: points("val:loss"),
    validation: val
      .filter((name) => name !== "loss" && !DOUBLED.has(name))
      .map((name) => ({ name, points: points(`val:${name}`) })),
    stages,
    planned: stages.reduce((sum, stage) => sum + stage.planned, 0),
    step,
  };
}

export interface StageLoss {
  readonly name: string;
  readonly train: readonly Point[];
  readonly validation: readonly Point[];
  readonly planned: number;
}

/** The losses of each stage that told one, in its own steps: those of different stages are of different things. */
export function stageLosses({ stages, trainLoss, valLoss }: Curves): StageLoss[] {
  return stages
    .map(({ name, at, planned }) => {
      // A stage's step n lies at `at + n`, and the next one begins with its step 1.
      const within = (points: readonly Point[]) =>
        points.flatMap(({ x, y }) => (x > at && x <= at + planned ? [{ x: x - at, y }] : []));
      return { name, planned, train: within(trainLoss), validation: within(valLoss) };
    })
    .filter(({ train }) => train.length > 0);
}

/** Preparing images and predicting also count steps, of another kind: they tell no loss. */
function tellsOfTraining(event: RunEvent): boolean {
  return event.type === "metric" || (event.type === "progress" && typeof event.loss === "number");
}

function inOrder(points: ReadonlyMap<number, number> | undefined): Point[] {
  return [...(points ?? [])].map(([x, y]) => ({ x, y })).sort((a, b) => a.x - b.x);
}

function stagesOf(events: readonly RunEvent[]): Curves["stages"] {
  const stages: { name: string; at: number; planned: number }[] = [];
  for (const event of events) {
    if (event.type !== "stage_started" || !event.stage || stages.some((stage) => stage.name === event.stage))
      continue;
    const at = stages.reduce((sum, stage) => sum + stage.planned, 0);
    stages.push({ name: event.stage, at, planned: event.planned_steps ?? 0 });
  }
  return stages;
}

/** The last event of a type. */
export function lastOf(events: readonly RunEvent[], type: string): RunEvent | undefined {
  return events.findLast((event) => event.type === type);
}

/** What an event says, on one line. */
export function eventText(event: RunEvent): string {
  switch (event.type) {
    case "started":
      return [`attempt ${event.attempt}`, event.device, event.precision, event.n && counts(event.n)]
        .filter(Boolean)
        .join(", ");
    case "stage_started":
      return `${event.stage}, ${(event.index ?? 0) + 1} of ${event.of ?? 1}, ${event.planned_steps ?? "?"} steps`;
    case "stage_finished":
      return `${event.stage} in ${Math.round(event.seconds ?? 0)} s`;
    case "progress":
      return `${event.stage} step ${event.step} of ${event.planned_steps}${numbers({ loss: event.loss })}`;
    case "metric":
      return `${event.split} step ${event.step}${numbers(event.values ?? {})}`;
    case "checkpoint":
      return `${event.stage} step ${event.step}${event.best ? ", the best so far" : ""}`;
    case "finished":
      return [event.headline_split, numbers(event.metrics_headline ?? {}).replace(" · ", "")]
        .filter(Boolean)
        .join(": ");
    case "resource":
      return [event.what?.replaceAll("_", " "), event.batch && `batch ${event.batch}`]
        .filter(Boolean)
        .join(", ");
    default:
      return [event.code, event.text, event.reason].filter(Boolean).join(": ");
  }
}

const counts = (n: Readonly<Record<string, number>>) =>
  Object.entries(n)
    .map(([name, value]) => `${value} ${name}`)
    .join(" / ");

function numbers(values: Readonly<Record<string, number | null | undefined>>): string {
  const known = Object.entries(values).filter(
    ([name, value]) => typeof value === "number" && !DOUBLED.has(name),
  );
  return known.map(([name, value]) => ` · ${name} ${Number(value).toPrecision(3)}`).join("");
}
