import { useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { useAddress } from "../../ui/address";
import { Ago } from "../../ui/ago";
import { duration, secondsBetween } from "../../ui/format";
import { Empty, PageHead, State } from "../../ui/panel";
import { Progress, progressText } from "../../ui/progress";
import { Filters } from "../../ui/table/filters";
import { type Column, Table } from "../../ui/table/table";
import type { Job } from "../contract";

const STATES = ["queued", "running", "done", "failed", "cancelled"];
const filters = [{ word: "state", label: "State", options: STATES.map((s) => ({ value: s, label: s })) }];

const columns: readonly Column<Job>[] = [
  { key: "title", label: "Job", value: (row) => row.title || row.kind },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  { key: "progress", label: "Progress", value: (row) => how(row), cell: (row) => <Standing job={row} /> },
  { key: "by", label: "By", value: (row) => row.created_by },
  {
    key: "took",
    label: "Took",
    number: true,
    value: (row) => secondsBetween(row.started_at, row.finished_at),
    cell: (row) => duration(secondsBetween(row.started_at, row.finished_at)),
  },
  {
    key: "made",
    label: "Ordered",
    value: (row) => row.created_at,
    cell: (row) => <Ago at={row.created_at} />,
  },
];

function how(job: Job): string {
  return job.error?.sentence ?? (job.state === "running" ? progressText(job) : job.message);
}

function Standing({ job }: { job: Job }) {
  if (job.error && job.state === "failed") return <span className="bad">{job.error.sentence}</span>;
  if (job.state !== "running") return <span className="quiet">{job.message}</span>;
  return (
    <>
      <Progress done={job.done} total={job.total} label={job.title} />{" "}
      <span className="quiet">{progressText(job)}</span>
    </>
  );
}

/** All background work of the project, newest first. */
export default function JobsPage() {
  const { project } = useHere();
  const { query } = useAddress();
  const list = useList("jobs/", { project: project.id, state: query.get("state") }, 3);
  return (
    <main className="page">
      <PageHead title="Jobs" about="work that goes on when the page is closed" />
      <Filters filters={filters} />
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Jobs"
          rows={list.rows}
          columns={columns}
          rowKey={(row) => row.id}
          href={(row) => `/jobs/${row.id}`}
          more={list.more}
          empty={
            <Empty title={query.get("state") ? "No job in this state." : "No job yet."}>
              Imports, freezes, trainings, rankings and exports appear here while they run, and stay.
            </Empty>
          }
        />
      )}
    </main>
  );
}
