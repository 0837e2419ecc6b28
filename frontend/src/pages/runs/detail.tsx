import { useMemo } from "react";
import { post } from "../../api/fetch";
import { Link, type PageProps } from "../../router";
import { useAnswer, useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useBelongsTo, useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { useNow } from "../../ui/ago";
import { duration, percent, secondsBetween, share, timeLeft } from "../../ui/format";
import { PageHead, State } from "../../ui/panel";
import { Progress } from "../../ui/progress";
import type { Run, RunDetail, RunEvent } from "../contract";
import { Failure, SETTLED } from "../jobs/failure";
import { curvesOf, lastOf } from "./curves";
import { useRunEvents } from "./events";
import { LossPlot, ValidationPlot } from "./plots";
import { RunSide } from "./side";
import { isLive } from "./state";

/** One training: its curves as they come, where it stands, how to do it again. */
export default function RunPage({ params }: PageProps) {
  const id = params.id ?? "";
  const { data, error, reload } = useAnswer(`runs/${id}/`, {}, 3);
  useBelongsTo(data?.project);
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data && <Detail run={data} onChanged={reload} />}
    </main>
  );
}

function Detail({ run, onChanged }: { run: RunDetail; onChanged: () => void }) {
  const events = useRunEvents(run.id, isLive(run));
  const curves = useMemo(() => curvesOf(events), [events]);
  return (
    <>
      <PageHead
        title={`Run ${run.number}`}
        about={[
          run.method,
          run.size,
          `snapshot v${run.snapshot_number}`,
          `seed ${run.seed}`,
          start(run),
        ].join(" · ")}
      >
        <Standing run={run} last={lastOf(events, "progress")} />
        <Steer run={run} onChanged={onChanged} />
      </PageHead>
      {run.job && run.state === "failed" && <Failure job={run.job} />}
      <div className="with-side">
        <div>
          <LossPlot curves={curves} live={isLive(run)} />
          <ValidationPlot curves={curves} live={isLive(run)} />
        </div>
        <div>
          <RunSide run={run} events={events} curves={curves} />
        </div>
      </div>
    </>
  );
}

function Standing({ run, last }: { run: Run; last: RunEvent | undefined }) {
  const now = useNow(1);
  const job = run.job;
  if (run.state === "queued") return <span className="quiet">waiting for a worker</span>;
  if (run.state !== "running" || !job) {
    return (
      <span>
        <State of={run.state} /> {duration(secondsBetween(job?.started_at, job?.finished_at))}
      </span>
    );
  }
  const part = share(job.done, job.total);
  return (
    <>
      <Progress done={job.done} total={job.total} label="Training" />
      <span aria-live="polite">
        running{part === null ? "" : `, ${percent(part)}`}
        {last?.eta_s
          ? `, ${timeLeft(last.eta_s)}`
          : `, ${duration(secondsBetween(job.started_at, now))} so far`}
      </span>
    </>
  );
}

function Steer({ run, onChanged }: { run: RunDetail; onChanged: () => void }) {
  const { role } = useHere();
  const steer = useDeed(async (what: "cancel" | "resume") => {
    await post(`runs/${run.id}/${what}/`);
    onChanged();
  });
  if (role !== "admin") return null;
  return (
    <>
      {isLive(run) && (
        <Action busy={steer.busy} onClick={() => void steer.run("cancel")}>
          Cancel
        </Action>
      )}
      {(run.state === "failed" || run.state === "cancelled") && (
        <Action
          busy={steer.busy}
          refused={run.may_resume ? null : SETTLED}
          onClick={() => void steer.run("resume")}
        >
          Go on from the last checkpoint
        </Action>
      )}
      {run.version && (
        <Link className="button primary" href={`/models/${run.version}`}>
          Open model {run.number}
        </Link>
      )}
      <a className="button" href={`/api/v1/runs/${run.id}/folder/`}>
        Download folder
      </a>
      <Problem error={steer.error} />
    </>
  );
}

function start(run: RunDetail): string {
  if (run.init_weights) return `with the trunk of ${run.init_weights}`;
  return run.init_version ? `from model ${run.init_number}` : "from scratch";
}
