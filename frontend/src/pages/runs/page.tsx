import { useState } from "react";
import { Link } from "../../router";
import { useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { useAddress } from "../../ui/address";
import { Ago } from "../../ui/ago";
import { duration, secondsBetween, words } from "../../ui/format";
import { Empty, PageHead, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Run } from "../contract";
import { unseenText } from "../models/headline";
import { useTwo } from "../models/two";
import { Retrain } from "./retrain";
import { RunSparkline } from "./sparkline";

const SPARKLINES = 12;

const columns = (drawn: ReadonlySet<string>): readonly Column<Run>[] => [
  { key: "number", label: "Run", value: (row) => row.number, cell: (row) => `Run\u00a0${row.number}` },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  { key: "method", label: "Method", value: (row) => row.method },
  { key: "task", label: "Task", value: (row) => words(row.task) },
  { key: "size", label: "Size", value: (row) => row.size },
  {
    key: "snapshot",
    label: "Snapshot",
    value: (row) => row.snapshot_number,
    cell: (row) => `v${row.snapshot_number}`,
  },
  {
    key: "loss",
    label: "Loss",
    bare: true,
    value: () => null,
    cell: (row) => (drawn.has(row.id) ? <RunSparkline run={row} /> : "—"),
  },
  { key: "headline", label: "On unseen patients", value: (row) => (row.version ? unseenText(row) : null) },
  {
    key: "took",
    label: "Took",
    number: true,
    value: (row) => secondsBetween(row.job?.started_at, row.job?.finished_at),
    cell: (row) => duration(secondsBetween(row.job?.started_at, row.job?.finished_at)),
  },
  {
    key: "made",
    label: "Started",
    value: (row) => row.created_at,
    cell: (row) => <Ago at={row.created_at} />,
  },
];

/** All trainings, and the form that starts one. */
export default function RunsPage() {
  const { project, role } = useHere();
  const { query } = useAddress();
  const asked = query.get("retrain");
  const [open, setOpen] = useState(asked !== null);
  const list = useList("runs/", { project: project.id }, 5);
  const two = useTwo(list.rows ?? [], (row) => ({ ...row, model: row.version }));
  const drawn = new Set(list.rows?.slice(0, SPARKLINES).map((row) => row.id));
  return (
    <main className="page">
      <PageHead title="Runs" about="trainings, newest first">
        <Link href="/methods">Methods</Link>
        {list.rows && list.rows.length > 1 && two.button}
        {role === "admin" && !open && (
          <Action kind="primary" onClick={() => setOpen(true)}>
            Retrain…
          </Action>
        )}
      </PageHead>
      {open && role === "admin" && <Retrain wanted={asked} onClose={() => setOpen(false)} />}
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Runs"
          rows={list.rows}
          columns={list.rows.length > 1 ? [two.column, ...columns(drawn)] : columns(drawn)}
          rowKey={(row) => row.id}
          href={(row) => `/runs/${row.id}`}
          more={list.more}
          empty={
            <Empty title="No training yet.">
              {role === "admin"
                ? "Freeze a snapshot of what has been read, then press Retrain."
                : "An administrator of this project starts one."}
            </Empty>
          }
        />
      )}
    </main>
  );
}
