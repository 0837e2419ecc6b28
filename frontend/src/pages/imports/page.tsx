import { Link } from "../../router";
import { useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Ago } from "../../ui/ago";
import { count } from "../../ui/format";
import { Empty, PageHead, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Ingest } from "../contract";
import { Upload } from "./send";

const columns: readonly Column<Ingest>[] = [
  {
    key: "made",
    label: "Import",
    value: (row) => row.created_at,
    cell: (row) => <Ago at={row.created_at} />,
  },
  { key: "channel", label: "By", value: (row) => row.channel },
  { key: "dataset", label: "Data set", value: (row) => row.dataset },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  {
    key: "accepted",
    label: "Accepted",
    number: true,
    value: (row) => row.counts.accepted,
    cell: (row) => count(row.counts.accepted),
  },
  {
    key: "duplicate",
    label: "Duplicates",
    number: true,
    value: (row) => row.counts.duplicate,
    cell: (row) => count(row.counts.duplicate),
  },
  {
    key: "rejected",
    label: "Rejected",
    number: true,
    value: (row) => row.counts.rejected,
    cell: (row) => count(row.counts.rejected),
  },
];

/** Bring images in, and see what came of earlier imports. */
export default function ImportPage() {
  const { me, project, role } = useHere();
  const list = useList("ingests/", { project: project.id }, 5);
  return (
    <main className="page">
      <PageHead title="Import" about={`into ${project.name}`} />
      {role === "admin" ? (
        <Upload />
      ) : (
        <Empty title="Only an administrator of this project imports images." />
      )}
      {me.is_site_admin && (
        <p className="quiet">
          Images in a PACS are pulled from <Link href="/archives">Archives</Link>.
        </p>
      )}
      <h2 className="section">Earlier imports</h2>
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Imports"
          rows={list.rows}
          columns={columns}
          rowKey={(row) => row.id}
          href={(row) => `/import/${row.id}`}
          more={list.more}
          empty={<p className="quiet">None yet.</p>}
        />
      )}
    </main>
  );
}
