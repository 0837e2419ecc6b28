import { Link } from "../../router";
import { useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Ago } from "../../ui/ago";
import { words } from "../../ui/format";
import { Empty, PageHead, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Model } from "../contract";
import { unseenText } from "./headline";
import { useTwo } from "./two";
import { WeightsLibrary } from "./weights";

const columns: readonly Column<Model>[] = [
  { key: "number", label: "Model", value: (row) => row.number, cell: (row) => `Model\u00a0${row.number}` },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  { key: "task", label: "Task", value: (row) => words(row.task) },
  { key: "method", label: "Method", value: (row) => row.method },
  { key: "size", label: "Size", value: (row) => row.size },
  {
    key: "snapshot",
    label: "Snapshot",
    value: (row) => row.snapshot_number,
    cell: (row) => `v${row.snapshot_number}`,
  },
  {
    key: "headline",
    label: "On unseen patients",
    value: unseenText,
  },
  {
    key: "promoted",
    label: "Promoted",
    value: (row) => row.promoted_at,
    cell: (row) => <Ago at={row.promoted_at} />,
  },
  { key: "made", label: "Made", value: (row) => row.created_at, cell: (row) => <Ago at={row.created_at} /> },
];

/** What the runs made, and which of it ranks. */
export default function ModelsPage() {
  const { project } = useHere();
  const list = useList("models/", { project: project.id }, 15);
  const two = useTwo(list.rows ?? [], (row) => ({ ...row, model: row.id }));
  return (
    <main className="page">
      <PageHead
        title="Models"
        about="one version a task is promoted: it ranks the exams that nobody has read"
      >
        {list.rows && list.rows.length > 1 && two.button}
      </PageHead>
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Models"
          rows={list.rows}
          columns={list.rows.length > 1 ? [two.column, ...columns] : columns}
          rowKey={(row) => row.id}
          href={(row) => `/models/${row.id}`}
          more={list.more}
          empty={
            <Empty title="No model yet.">
              A finished training makes one. <Link href="/runs">Open runs</Link>
            </Empty>
          }
        />
      )}
      <WeightsLibrary />
    </main>
  );
}
