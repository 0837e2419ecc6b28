import { Link } from "../../router";
import { useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { useRunning } from "../../shell/running";
import { count, figure } from "../../ui/format";
import { Panel } from "../../ui/panel";
import { Progress, progressText } from "../../ui/progress";
import { type Column, Table } from "../../ui/table/table";
import type { Loop, WorklistEntry } from "../contract";
import { entryText } from "../reasons";
import { Bought } from "./bought";
import "./home.css";
import { Strip } from "./strip";

const SHOWN = 8;

/** Where the loop stands, what needs somebody, what runs, what is read next. */
export function AdminHome() {
  const { project } = useHere();
  const running = useRunning();
  // While jobs run the strip changes under them; else now and then.
  const { data, error, reload } = useAnswer(`projects/${project.id}/loop/`, {}, running.length ? 5 : 30);
  return (
    <main className="page">
      <h1 className="visually-hidden">{project.name}</h1>
      <h2 className="section">The loop</h2>
      <Problem error={error} onRetry={reload} />
      {data && (
        <>
          <Strip loop={data} />
          <div className="columns">
            <div>
              <Needs needs={data.needs} />
              <RunningPanel />
            </div>
            <div>
              <Bought />
            </div>
          </div>
          <NextExams />
        </>
      )}
    </main>
  );
}

function Needs({ needs }: { needs: Loop["needs"] }) {
  return (
    <Panel title="Needs somebody">
      {needs.length === 0 && <p className="quiet">Nothing. The loop goes on by itself.</p>}
      <ul className="lines">
        {needs.map((need) => (
          <li key={need.what}>
            <span>{need.text}</span>
            <Link href={need.link}>open</Link>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function RunningPanel() {
  const jobs = useRunning();
  return (
    <Panel title="Running" aside={<Link href="/jobs">all jobs</Link>}>
      {jobs.length === 0 && <p className="quiet">Nothing runs.</p>}
      <ul className="lines">
        {jobs.map((job) => (
          <li key={job.id}>
            <Link href={`/jobs/${job.id}`}>{job.title || job.kind}</Link>
            <Progress done={job.done} total={job.total} label={job.title || job.kind} />
            <span className="quiet">{progressText(job)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const columns: readonly Column<WorklistEntry>[] = [
  { key: "exam", label: "Exam", value: (row) => row.label },
  {
    key: "why",
    label: "Why",
    value: entryText,
    cell: (row) => <span className="quiet">{entryText(row)}</span>,
  },
  { key: "score", label: "Score", number: true, value: (row) => row.score, cell: (row) => figure(row.score) },
  {
    key: "readings",
    label: "Readings",
    number: true,
    value: (row) => `${count(row.done)} of ${count(row.wanted)}`,
  },
  { key: "state", label: "State", value: (row) => row.state },
];

function NextExams() {
  const { project } = useHere();
  const { data } = useAnswer("worklist/", { project: project.id, page_size: SHOWN }, 30);
  return (
    <Panel title="Next exams" aside={<Link href="/worklist">the whole order</Link>}>
      <Table
        name="Next exams"
        rows={data?.entries ?? []}
        columns={columns}
        rowKey={(row) => row.exam}
        href={(row) => `/exams/${row.exam}`}
        empty={<p className="quiet">No exam waits for a reading.</p>}
      />
    </Panel>
  );
}
