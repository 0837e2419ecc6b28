import { Link } from "../../router";
import { Ago } from "../../ui/ago";
import { Snippet } from "../../ui/copy";
import { clockTime, compact, count, duration, percent, secondsBetween, words } from "../../ui/format";
import { type Fact, Facts, Panel } from "../../ui/panel";
import type { Run, RunDetail, RunEvent } from "../contract";
import { type Curves, eventText, lastOf } from "./curves";
import { Environment } from "./environment";
import { isLive } from "./state";

/** Where it stands, on what data, how to do it again, what it said. */
export function RunSide({
  run,
  events,
  curves,
}: {
  run: RunDetail;
  events: readonly RunEvent[];
  curves: Curves;
}) {
  return (
    <>
      <Panel title={isLive(run) ? "Now" : "How it ran"}>
        <Facts rows={[...(isLive(run) ? now(events, curves) : past(run)), ...machine(run, events)]} />
      </Panel>
      <Panel title="Data">
        <Facts
          rows={[
            [
              "snapshot",
              <Link key="s" href={`/snapshots/v${run.snapshot_number}`}>{`v${run.snapshot_number}`}</Link>,
            ],
            ["images", images(lastOf(events, "started"))],
            run.init_version !== null && [
              "began",
              <Link key="i" href={`/models/${run.init_version}`}>{`from model ${run.init_number}`}</Link>,
            ],
            run.findings.length > 0 && ["findings", run.findings.map(words).join(", ")],
          ]}
        />
      </Panel>
      <Panel title="Reproduce">
        <Facts
          rows={[
            ["code", lastOf(events, "started")?.code_version ?? "—"],
            ["folder", <a key="f" href={`/api/v1/runs/${run.id}/folder/`}>{`run-${run.number}.zip`}</a>],
          ]}
        />
        <Snippet label="The command" text={run.command} />
        <details>
          <summary>request.json</summary>
          <pre className="log">{JSON.stringify(run.request, null, 2)}</pre>
        </details>
      </Panel>
      <Environment run={run} />
      <EventLog events={events} />
    </>
  );
}

function images(started: RunEvent | undefined): string {
  if (!started?.n) return "—";
  return Object.entries(started.n)
    .filter(([, n]) => n > 0)
    .map(([split, n]) => `${count(n)} ${split}`)
    .join(" / ");
}

/** `main, 1 of 2`; preparing images and predicting are no stages of the training, and have no number. */
function stageText(name: string | null | undefined, index: number, of: number): string {
  if (!name) return "—";
  return index < 0 ? name : `${name}, ${index + 1} of ${of}`;
}

function now(events: readonly RunEvent[], curves: Curves): Fact[] {
  const last = lastOf(events, "progress");
  const stage = curves.stages.findIndex((s) => s.name === last?.stage);
  return [
    ["stage", stageText(last?.stage, stage, lastOf(events, "stage_started")?.of ?? curves.stages.length)],
    ["step", last ? `${count(last.step)} of ${count(last.planned_steps)}` : "—"],
    ["speed", last?.images_per_s ? `${compact(last.images_per_s)} images/s` : "—"],
    typeof last?.waited_for_data === "number" && [
      "loading data",
      `${percent(last.waited_for_data)} of the time`,
    ],
    ["learning rate", compact(last?.lr)],
    Boolean(last?.gpu_mem_mb) && ["memory", `${count(last?.gpu_mem_mb)} MB on the card`],
  ];
}

function past(run: Run): Fact[] {
  if (!run.job?.finished_at) return [];
  return [
    ["ended", <Ago key="e" at={run.job.finished_at} />],
    ["took", duration(secondsBetween(run.job.started_at, run.job.finished_at))],
  ];
}

function machine(run: Run, events: readonly RunEvent[]): Fact[] {
  const started = lastOf(events, "started");
  return [
    ["device", [started?.device, started?.precision].filter(Boolean).join(", ") || "—"],
    [
      "started",
      <span key="t">
        <Ago at={run.job?.started_at ?? run.created_at} />
        {run.created_by && ` by ${run.created_by}`}
      </span>,
    ],
    (run.job?.attempts ?? 0) > 1 && ["attempts", count(run.job?.attempts)],
    run.job && [
      "job",
      <Link key="j" href={`/jobs/${run.job.id}`}>
        log and state
      </Link>,
    ],
  ];
}

const QUIET = new Set(["progress"]);

function EventLog({ events }: { events: readonly RunEvent[] }) {
  const told = events.filter((event) => !QUIET.has(event.type)).slice(-200);
  return (
    <Panel title="Events">
      {told.length === 0 && <p className="quiet">None yet.</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="log" tabIndex={0} role="log" aria-label="Events of the run">
        {[...told].reverse().map((event) => (
          <div
            key={event.seq}
            className={event.type === "failed" ? "bad" : event.type === "warning" ? "warn" : undefined}
          >
            {clockTime(event.t)} {event.type.padEnd(14)} {eventText(event)}
          </div>
        ))}
      </div>
    </Panel>
  );
}
