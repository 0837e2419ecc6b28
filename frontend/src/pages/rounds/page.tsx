import { useState } from "react";
import { post } from "../../api/fetch";
import { Link, navigate } from "../../router";
import { useAnswer, useDeed, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { Ago } from "../../ui/ago";
import { Dialog } from "../../ui/dialog";
import { count, counted, words } from "../../ui/format";
import { Empty, PageHead, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Round } from "../contract";

const columns: readonly Column<Round>[] = [
  { key: "number", label: "Round", value: (row) => row.number, cell: (row) => `Round ${row.number}` },
  { key: "state", label: "State", value: (row) => row.state, cell: (row) => <State of={row.state} /> },
  { key: "strategy", label: "Strategy", value: (row) => words(row.strategy) },
  {
    key: "models",
    label: "Models",
    value: (row) => row.versions.map((v) => `${words(v.task)} ${v.number}`).join(", ") || "none",
  },
  {
    key: "exams",
    label: "Exams ranked",
    number: true,
    value: (row) => row.exams,
    cell: (row) => count(row.exams),
  },
  {
    key: "read",
    label: "Read since",
    number: true,
    value: (row) => row.read,
    cell: (row) => count(row.read),
  },
  {
    key: "published",
    label: "Published",
    value: (row) => row.published_at,
    cell: (row) => <Ago at={row.published_at} />,
  },
];

/** What was asked in each turn of the loop, and the button for the next. */
export default function RoundsPage() {
  const { project } = useHere();
  const list = useList("rounds/", { project: project.id }, 10);
  return (
    <main className="page">
      <PageHead title="Rounds" about="each ranks what nobody has read, by the models promoted then">
        <NextRound />
      </PageHead>
      <Problem error={list.error} onRetry={list.reload} />
      {list.rows && (
        <Table
          name="Rounds"
          rows={list.rows}
          columns={columns}
          rowKey={(row) => row.id}
          href={(row) => `/rounds/${row.id}`}
          more={list.more}
          empty={
            <Empty title="No round yet.">
              Promote a model: it scores what nobody has read, and the first round is published.{" "}
              <Link href="/models">Open models</Link>
            </Empty>
          }
        />
      )}
    </main>
  );
}

function NextRound() {
  const { project } = useHere();
  const [asking, setAsking] = useState(false);
  const loop = useAnswer(`projects/${project.id}/loop/`);
  const promoted = loop.data?.model.promoted ?? [];
  const draw = useDeed(async () => {
    const { job } = await post("rounds/", { project: project.id });
    navigate(`/jobs/${job}`);
  });
  const refused = loop.data && promoted.length === 0 ? "No model is promoted, so nothing can rank." : null;
  return (
    <>
      <Action kind="primary" refused={refused} onClick={() => setAsking(true)}>
        Rank again…
      </Action>
      {asking && (
        <Dialog title="Rank what is unread again?" onClose={() => setAsking(false)}>
          <p>
            {counted(promoted.length, "promoted model")} {promoted.length === 1 ? "scores" : "score"} what
            nobody has read; then a new round closes the current one, and the order of what waits changes for
            all readers. Exams that are open stay with their readers.
          </p>
          <Problem error={draw.error} />
          <div className="dialog-keys">
            <Action onClick={() => setAsking(false)}>Leave it</Action>
            <Action kind="primary" busy={draw.busy} onClick={() => void draw.run()}>
              Rank again
            </Action>
          </div>
        </Dialog>
      )}
    </>
  );
}
