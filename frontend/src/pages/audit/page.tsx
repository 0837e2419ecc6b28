import { useAll, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Ago } from "../../ui/ago";
import { shortHash } from "../../ui/format";
import { Empty, PageHead } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { AuditEvent } from "../contract";

/** What was done in this project, by whom; nothing here can be changed. */
export default function AuditPage() {
  const { project } = useHere();
  const events = useList("audit/", { project: project.id });
  const users = useAll("users/");
  const names = new Map(users.data?.map((user) => [user.id, user.username]));
  const columns: readonly Column<AuditEvent>[] = [
    { key: "at", label: "When", value: (row) => row.at, cell: (row) => <Ago at={row.at} /> },
    { key: "actor", label: "Who", value: (row) => names.get(row.actor) ?? (row.actor || "the system") },
    { key: "verb", label: "What", value: (row) => row.verb },
    {
      key: "target",
      label: "On",
      value: (row) => `${row.target_kind} ${row.target_id}`,
      cell: (row) => `${row.target_kind} ${row.target_id ? shortHash(row.target_id) : ""}`,
    },
    {
      key: "detail",
      label: "Detail",
      value: (row) => JSON.stringify(row.detail),
      cell: (row) => <Detail of={row.detail} />,
    },
  ];
  return (
    <main className="page">
      <PageHead title="Audit" about="append-only and sealed; the newest first" />
      <Problem error={events.error} onRetry={events.reload} />
      {events.rows && (
        <Table
          name="Audit"
          rows={events.rows}
          columns={columns}
          rowKey={(row) => String(row.id)}
          more={events.more}
          empty={<Empty title="Nothing has been done yet." />}
        />
      )}
    </main>
  );
}

function Detail({ of }: { of: AuditEvent["detail"] }) {
  const text = Object.entries(of)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
  return <span className="quiet wrap-anywhere">{text}</span>;
}
