import { useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Ago } from "../../ui/ago";
import { count } from "../../ui/format";
import { Empty, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Snapshot } from "../contract";
import { findingsIn } from "./compare";

const columns: readonly Column<Snapshot>[] = [
  { key: "number", label: "Snapshot", value: (row) => row.number, cell: (row) => `v${row.number}` },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  {
    key: "frozen",
    label: "Frozen",
    value: (row) => row.frozen_at,
    cell: (row) => <Ago at={row.frozen_at} />,
  },
  {
    key: "exams",
    label: "Exams",
    number: true,
    value: (row) => row.counts?.exams,
    cell: (row) => count(row.counts?.exams),
  },
  {
    key: "images",
    label: "Images",
    number: true,
    value: (row) => row.counts?.images,
    cell: (row) => count(row.counts?.images),
  },
  { key: "findings", label: "Findings", number: true, value: (row) => row.counts && findingsIn(row.counts) },
  {
    key: "source",
    label: "Sources",
    value: (row) => row.sources.map((source) => source.name).join(", ") || "this project",
  },
  { key: "note", label: "Note", value: (row) => row.note || null },
];

/** The snapshots of the project, newest first. */
export function SnapshotTable() {
  const { project, role } = useHere();
  const list = useList("snapshots/", { project: project.id }, 15);
  return (
    <>
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Snapshots"
          rows={list.rows}
          columns={columns}
          rowKey={(row) => row.id}
          href={(row) => `/snapshots/v${row.number}`}
          more={list.more}
          empty={
            <Empty title="No snapshot yet.">
              {role === "admin"
                ? "A snapshot freezes the labels as they are now. Training and exports start from one."
                : "An administrator of this project freezes one; it can be downloaded here then."}
            </Empty>
          }
        />
      )}
    </>
  );
}
