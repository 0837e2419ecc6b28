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
import type { Ingest, IngestItem } from "../contract";
import { sentNames } from "./names";

const POLL_SECONDS = 2;

/** What came of one import: what was taken, what was not and why. */
export default function ImportResultPage({ params }: PageProps) {
  const { data, error, reload } = useAnswer(`ingests/${params.id}/`, {}, POLL_SECONDS);
  useBelongsTo(data?.project);
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data && <Detail ingest={data} />}
    </main>
  );
}

function Detail({ ingest }: { ingest: Ingest }) {
  const { counts } = ingest;
  return (
    <>
      <PageHead
        title="Import"
        about={
          <>
            <State of={ingest.state} /> <Ago at={ingest.created_at} />
            {ingest.created_by && ` by ${ingest.created_by}`}
          </>
        }
      >
        {counts.accepted > 0 && (
          <Link className="button primary" href="/exams">
            Open exams
          </Link>
        )}
      </PageHead>
      {ingest.state !== "closed" && <Standing ingest={ingest} />}
      <div className="columns">
        <Panel title="Result">
          <Facts
            rows={[
              ["accepted", counted(counts.accepted, "image")],
              counts.duplicate > 0 && [
                "duplicates",
                `${count(counts.duplicate)}: this project has them already`,
              ],
              ["rejected", count(counts.rejected)],
              counts.waiting > 0 && ["waiting", count(counts.waiting)],
              counts.unpacked > 0 && ["unpacked", counted(counts.unpacked, "archive")],
              counts.used > 0 && ["read for labels", counted(counts.used, "file")],
              ["data set", ingest.dataset],
            ]}
          />
        </Panel>
        <Reasons ingest={ingest} />
      </div>
      <Items ingest={ingest} />
    </>
  );
}

function Standing({ ingest }: { ingest: Ingest }) {
  const { data } = useAnswer(ingest.job ? `jobs/${ingest.job.id}/` : null, {}, POLL_SECONDS);
  if (ingest.state === "receiving") return <p>Files are still being sent.</p>;
  if (!data) return null;
  return (
    <p>
      <Progress done={data.done} total={data.total} label="Looking at the files" /> {progressText(data)}{" "}
      <Link href={`/jobs/${data.id}`}>job</Link>
    </p>
  );
}

function Reasons({ ingest }: { ingest: Ingest }) {
  const reasons = [...ingest.reasons].sort((a, b) => b.count - a.count);
  if (reasons.length === 0) return null;
  return (
    <Panel title="Rejected, by reason">
      {reasons.map((reason) => (
        <div key={reason.code}>
          <p>
            <strong>
              {count(reason.count)} × {reason.sentence}
            </strong>{" "}
            <Link href={`/import/${ingest.id}?code=${encodeURIComponent(reason.code)}`}>which</Link>
          </p>
          <p className="quiet">{reason.cure}</p>
        </div>
      ))}
    </Panel>
  );
}

const options = (values: readonly string[]) =>
  values.map((value) => ({ value, label: value.replaceAll("_", " ") }));

const columns = (names: ReadonlyMap<number, string>): readonly Column<IngestItem>[] => [
  { key: "n", label: "File", number: true, value: (row) => row.n },
  ...(names.size
    ? [{ key: "name", label: "Name, known to this tab alone", value: (row: IngestItem) => names.get(row.n) }]
    : []),
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  { key: "why", label: "Why", value: (row) => row.sentence || null },
  { key: "code", label: "Code", value: (row) => row.code || null },
  { key: "cure", label: "What to do", value: (row) => row.cure || null },
  { key: "bytes", label: "Size", number: true, value: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
];

function Items({ ingest }: { ingest: Ingest }) {
  const { query } = useAddress();
  const asked = { state: query.get("state"), code: query.get("code") };
  const list = useList(`ingests/${ingest.id}/items/`, asked, ingest.state === "closed" ? null : 3);
  const filters = [
    { word: "state", label: "State", options: options(Object.keys(ingest.counts)) },
    {
      word: "code",
      label: "Reason",
      options: ingest.reasons.map((r) => ({ value: r.code, label: r.sentence })),
    },
  ];
  return (
    <Panel title="Every file, in the order in which they were sent">
      <Filters filters={filters} />
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Files of the import"
          rows={list.rows}
          columns={columns(sentNames(ingest.id))}
          rowKey={(row) => String(row.n)}
          more={list.more}
        />
      )}
    </Panel>
  );
}
