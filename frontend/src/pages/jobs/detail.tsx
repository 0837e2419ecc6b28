import { post } from "../../api/fetch";
import { Link, type PageProps } from "../../router";
import { useAnswer, useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useBelongsTo } from "../../shell/project";
import { Action } from "../../ui/action";
import { Ago } from "../../ui/ago";
import { count, duration, secondsBetween, words } from "../../ui/format";
import { Facts, PageHead, Panel, State } from "../../ui/panel";
import { Progress, progressText } from "../../ui/progress";
import type { Job, JobDetail } from "../contract";
import { Failure, SETTLED } from "./failure";

const POLL_SECONDS = 2;

/** One job: how far, what it says, what came of it. It may be left: it goes on by itself. */
export default function JobPage({ params }: PageProps) {
  const { data, error, reload } = useAnswer(`jobs/${params.id}/`, {}, POLL_SECONDS);
  useBelongsTo(data?.project ?? undefined);
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data && <Detail job={data} onChanged={reload} />}
    </main>
  );
}

const isLive = (job: Job) => job.state === "queued" || job.state === "running";

function Detail({ job, onChanged }: { job: JobDetail; onChanged: () => void }) {
  return (
    <>
      <PageHead title={job.title || words(job.kind)} about={<About job={job} />}>
        {job.link && (
          <Link className="button primary" href={job.link}>
            Open what it is for
          </Link>
        )}
        {job.may_steer && <Steer job={job} onChanged={onChanged} />}
      </PageHead>
      {isLive(job) && (
        <div>
          <Progress done={job.done} total={job.total} label={job.title} /> <span>{progressText(job)}</span>
          {job.cancel_requested_at && <span className="warn"> · asked to stop, finishing what it holds</span>}
          <p className="quiet">This page can be closed: the job goes on, and the bar above shows it.</p>
        </div>
      )}
      <Failure job={job} />
      <div className="with-side">
        <Panel title="Log">
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
          <pre className="log" tabIndex={0}>
            {job.log_tail || "Nothing was written."}
          </pre>
        </Panel>
        <Panel title="Facts">
          <Facts rows={facts(job)} />
        </Panel>
      </div>
    </>
  );
}

/** The state, and of a job that has ended what was done; what went wrong has a place of its own. */
function About({ job }: { job: Job }) {
  return (
    <>
      <State of={job.state} /> {isLive(job) || job.error ? null : job.message}
    </>
  );
}

function facts(job: Job): Parameters<typeof Facts>[0]["rows"] {
  return [
    ["kind", job.kind],
    ["by", job.created_by ?? "the system"],
    ["ordered", <Ago key="o" at={job.created_at} />],
    ["begun", <Ago key="b" at={job.started_at} />],
    job.finished_at ? ["ended", <Ago key="e" at={job.finished_at} />] : null,
    ["took", duration(secondsBetween(job.started_at, job.finished_at))],
    job.total !== null && ["done", `${count(job.done)} of ${count(job.total)}`],
    ["attempts", count(job.attempts)],
    ...Object.entries(job.result ?? {})
      .filter(([, value]) => value !== null && typeof value !== "object" && !isId(value))
      .map(([name, value]): [string, string] => [words(name), String(value)]),
  ];
}

/** An id says nothing to a person; the button above leads to the thing itself. */
const isId = (value: unknown) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(String(value));

function Steer({ job, onChanged }: { job: JobDetail; onChanged: () => void }) {
  const steer = useDeed(async (what: "cancel" | "retry") => {
    await post(`jobs/${job.id}/${what}/`);
    onChanged();
  });
  return (
    <>
      {isLive(job) && !job.cancel_requested_at && (
        <Action busy={steer.busy} onClick={() => void steer.run("cancel")}>
          Cancel
        </Action>
      )}
      {(job.state === "failed" || job.state === "cancelled") && (
        <Action
          busy={steer.busy}
          refused={job.may_retry ? null : SETTLED}
          onClick={() => void steer.run("retry")}
        >
          Retry
        </Action>
      )}
      <Problem error={steer.error} />
    </>
  );
}
