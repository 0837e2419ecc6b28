import { Link, type PageProps } from "../../router";
import { useAnswer, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useBelongsTo } from "../../shell/project";
import { useAddress } from "../../ui/address";
import { Ago } from "../../ui/ago";
import { bytes, count, counted } from "../../ui/format";
import { Facts, PageHead, Panel, State } from "../../ui/panel";
import { Progress, progressText } from "../../ui/progress";
import { Filters } from "../../ui/table/filters";
import { type Column, Table } from "../../ui/table/table";
import type { Ingest, IngestItem, Job } from "../contract";
import { groupsOf, ranges } from "./groups";

const POLL_SECONDS = 2;

/** What came of one import: what was taken, what was not and why. */
export default function ImportResultPage({ params }: PageProps) {
  const { data, error, reload } = useAnswer<Ingest>(`ingests/${params.id}/`, {}, POLL_SECONDS);
  useBelongsTo(data?.project);
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data && <Detail ingest={data} />}
    </main>
  );
}

/** The id of the job of an import, however the answer carries it. */
export function jobIdOf(ingest: Pick<Ingest, "job">): string | null {
  return typeof ingest.job === "string" ? ingest.job : (ingest.job?.id ?? null);
}

function Detail({ ingest }: { ingest: Ingest }) {
  const open = ingest.state !== "closed";
  return (
    <>
      <PageHead
        title="Import"
        about={
          <>
            <State of={ingest.state} /> <Ago at={ingest.created_at} />
          </>
        }
      >
        {ingest.counts.accepted > 0 && (
          <Link className="button primary" href="/exams">
            Open exams
          </Link>
        )}
      </PageHead>
      {open && <Standing job={jobIdOf(ingest)} receiving={ingest.state === "receiving"} />}
      <Panel title="Result">
        <Facts
          rows={[
            ["accepted", counted(ingest.counts.accepted, "image")],
            ["duplicates", `${count(ingest.counts.duplicate)}: already in this project`],
            ["rejected", `${count(ingest.counts.rejected)}: listed below with the reason`],
            open && ["waiting", count(ingest.counts.waiting)],
            ["data set", ingest.dataset],
          ]}
        />
      </Panel>
      <Rejected ingest={ingest} />
      <Items ingest={ingest} />
    </>
  );
}

function Standing({ job, receiving }: { job: string | null; receiving: boolean }) {
  const { data } = useAnswer<Job>(job ? `jobs/${job}/` : null, {}, POLL_SECONDS);
  if (receiving) return <p>Files are still being sent.</p>;
  if (!data) return null;
  return (
    <p>
      <Progress done={data.done} total={data.total} label="Looking at the files" /> {progressText(data)}{" "}
      <Link href={`/jobs/${data.id}`}>job</Link>
    </p>
  );
}

function Rejected({ ingest }: { ingest: Ingest }) {
  const some = ingest.counts.rejected > 0;
  const list = useList<IngestItem>(some ? `ingests/${ingest.id}/items/` : null, {
    state: "rejected",
    page_size: 200,
    at: ingest.counts.rejected,
  });
  if (!some || !list.rows) return null;
  return (
    <Panel title="Rejected, by reason">
      {groupsOf(list.rows).map((group) => (
        <div key={group.code} className="reason-group">
          <p>
            <strong>
              {count(group.numbers.length)} × {group.sentence}
            </strong>{" "}
            <code>{group.code}</code>
          </p>
          <p className="quiet">{group.cure}</p>
          <p className="quiet">Files {ranges(group.numbers)}, in the order in which they were sent.</p>
        </div>
      ))}
      {list.more && (
        <button type="button" className="button small" onClick={list.more}>
          Show more
        </button>
      )}
    </Panel>
  );
}

const STATES = ["accepted", "duplicate", "rejected", "waiting", "unpacked", "used"];
const filters = [{ word: "state", label: "State", options: STATES.map((s) => ({ value: s, label: s })) }];

const columns: readonly Column<IngestItem>[] = [
  { key: "n", label: "File", number: true, value: (row) => row.n },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  { key: "why", label: "Why", value: (row) => row.sentence || null },
  { key: "code", label: "Code", value: (row) => row.code || null },
  { key: "cure", label: "What to do", value: (row) => row.cure || null },
  { key: "bytes", label: "Size", number: true, value: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
];

function Items({ ingest }: { ingest: Ingest }) {
  const { query } = useAddress();
  const list = useList<IngestItem>(`ingests/${ingest.id}/items/`, {
    state: query.get("state"),
    at: ingest.counts.waiting,
  });
  return (
    <Panel title="Every file">
      <Filters filters={filters} />
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Files of the import"
          rows={list.rows}
          columns={columns}
          rowKey={(row) => String(row.n)}
          more={list.more}
        />
      )}
    </Panel>
  );
}
