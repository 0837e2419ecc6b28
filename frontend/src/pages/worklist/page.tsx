import { useState } from "react";
import { getMore } from "../../api/fetch";
import { Link } from "../../router";
import { settledError, useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { counted, figure } from "../../ui/format";
import { Empty, PageHead } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Worklist, WorklistEntry } from "../contract";
import { Waiting } from "../home/reader";
import { entryText, partsOf, partText } from "../reasons";

/** What waits: to a reader how many, to an administrator the whole order with its reasons. */
export default function WorklistPage() {
  const { project, role } = useHere();
  const { data, error, reload } = useAnswer("worklist/", { project: project.id, page_size: 100 }, 30);
  return (
    <main className="page">
      <PageHead
        title="Worklist"
        about={data && role === "admin" ? "in the order of serving; readers do not see why" : undefined}
      />
      <Problem error={error} onRetry={reload} />
      {data && role !== "admin" && <Waiting work={data} />}
      {data && role === "admin" && <Order key={data.order ?? "none"} work={data} />}
    </main>
  );
}

const columns: readonly Column<WorklistEntry>[] = [
  { key: "exam", label: "Exam", value: (row) => row.label },
  { key: "position", label: "Rank", number: true, value: (row) => row.position },
  { key: "score", label: "Score", number: true, value: (row) => row.score, cell: (row) => figure(row.score) },
  { key: "why", label: "Why", value: entryText, cell: (row) => <Why entry={row} /> },
  { key: "readings", label: "Readings", number: true, value: (row) => `${row.done} of ${row.wanted}` },
  { key: "state", label: "State", value: (row) => row.state },
];

function Why({ entry }: { entry: WorklistEntry }) {
  const parts = partsOf(entry.reason);
  if (entry.tier === 0 || parts.length === 0) return <span className="quiet">{entryText(entry)}</span>;
  return (
    <details>
      <summary className="quiet">{entryText(entry)}</summary>
      <ul className="quiet">
        {parts.map((part) => (
          <li key={part.part}>{partText(part)}</li>
        ))}
      </ul>
    </details>
  );
}

function Order({ work }: { work: Worklist }) {
  const [rest, setRest] = useState<{ rows: WorklistEntry[]; next: string | null } | null>(null);
  const [failed, setFailed] = useState<Error | null>(null);
  const next = rest ? rest.next : (work.next ?? null);
  const rows = [...(work.entries ?? []), ...(rest?.rows ?? [])];
  const more = async () => {
    try {
      const page = await getMore<"worklist/">(next ?? "");
      setRest({ rows: [...(rest?.rows ?? []), ...(page.entries ?? [])], next: page.next ?? null });
    } catch (cause) {
      setFailed(settledError(cause));
    }
  };
  return (
    <>
      <p className="quiet">
        {work.order
          ? "Ranked by the promoted models after validation and test exams."
          : "No model ranks yet: exams come in drawn order."}{" "}
        {work.left > 0 && (
          <>
            {counted(work.left, "exam")} could be read by you. <Link href="/read">Read the next one</Link>
          </>
        )}
      </p>
      <Problem error={failed} />
      <Table
        name="Worklist"
        rows={rows}
        columns={columns}
        rowKey={(row) => row.exam}
        href={(row) => `/exams/${row.exam}`}
        more={next ? () => void more() : null}
        empty={
          <Empty title="No exam waits for a reading.">
            <p>
              <Link href="/import">Import exams</Link>, or look at those that are read under{" "}
              <Link href="/exams">Exams</Link>.
            </p>
          </Empty>
        }
      />
    </>
  );
}
