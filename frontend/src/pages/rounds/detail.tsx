import { useState } from "react";
import { get } from "../../api/fetch";
import { Link, type PageProps } from "../../router";
import { settledError, useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useBelongsTo } from "../../shell/project";
import { Ago } from "../../ui/ago";
import { Bars } from "../../ui/charts/bars";
import { count, figure, shortHash, words } from "../../ui/format";
import { Facts, PageHead, Panel, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { RoundDetail, RoundItem } from "../contract";
import { partsOf, partText, reasonText } from "../reasons";

/** What one round asked, in order, and why. */
export default function RoundPage({ params }: PageProps) {
  const { data, error, reload } = useAnswer(`rounds/${params.id}/`);
  useBelongsTo(data?.project);
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data && <Detail key={data.id} round={data} />}
    </main>
  );
}

function Detail({ round }: { round: RoundDetail }) {
  return (
    <>
      <PageHead
        title={`Round ${round.number}`}
        about={
          <>
            <State of={round.state} /> {words(round.strategy)} · {count(round.read)} of {count(round.exams)}{" "}
            read since
          </>
        }
      />
      <div className="with-side">
        <div>
          <Items round={round} />
        </div>
        <div>
          <Panel title="How it was drawn">
            <Facts
              rows={[
                ["models", <Versions key="v" round={round} />],
                ["published", <Ago key="p" at={round.published_at} />],
                round.closed_at ? ["closed", <Ago key="c" at={round.closed_at} />] : null,
                [
                  "list",
                  <code key="l" title={round.batch_sha256}>
                    {shortHash(round.batch_sha256)}
                  </code>,
                ],
              ]}
            />
          </Panel>
          <Panel title="Weights of the parts">
            <Facts
              rows={Object.entries(round.weights).map(([part, weight]) => [words(part), String(weight)])}
            />
          </Panel>
          <Panel title="What led, among the first hundred">
            <Bars title="Leading parts" rows={leading(round.items)} />
          </Panel>
        </div>
      </div>
    </>
  );
}

function Versions({ round }: { round: RoundDetail }) {
  if (round.versions.length === 0) return <>none: drawn order</>;
  return (
    <>
      {round.versions.map((version) => (
        <div key={version.id}>
          <Link href={`/models/${version.id}`}>{`Model ${version.number}`}</Link>, {words(version.task)}
        </div>
      ))}
    </>
  );
}

function leading(items: readonly RoundItem[]): [string, number][] {
  const counted = new Map<string, number>();
  for (const item of items.slice(0, 100)) {
    const first = partsOf(item.reason)[0]?.part ?? "no score";
    counted.set(first, (counted.get(first) ?? 0) + 1);
  }
  return [...counted].sort((a, b) => b[1] - a[1]);
}

const columns: readonly Column<RoundItem>[] = [
  { key: "exam", label: "Exam", value: (row) => row.label || "gone" },
  { key: "position", label: "Rank", number: true, value: (row) => row.position },
  { key: "score", label: "Score", number: true, value: (row) => row.score, cell: (row) => figure(row.score) },
  {
    key: "why",
    label: "Why",
    value: (row) => reasonText(row.reason),
    cell: (row) => (
      <details>
        <summary className="quiet">{reasonText(row.reason)}</summary>
        <ul className="quiet">
          {partsOf(row.reason).map((part) => (
            <li key={part.part}>{partText(part)}</li>
          ))}
        </ul>
      </details>
    ),
  },
];

function Items({ round }: { round: RoundDetail }) {
  const [rows, setRows] = useState<readonly RoundItem[]>(round.items);
  const [failed, setFailed] = useState<Error | null>(null);
  const last = rows.at(-1)?.position ?? 0;
  const more = async () => {
    try {
      const next = await get(`rounds/${round.id}/`, { after: last });
      setRows([...rows, ...next.items]);
    } catch (cause) {
      setFailed(settledError(cause));
    }
  };
  return (
    <Panel title="What was asked">
      <Problem error={failed} />
      <Table
        name="Exams of the round"
        rows={rows}
        columns={columns}
        rowKey={(row) => row.exam_id}
        href={(row) => `/exams/${row.exam_id}`}
        more={rows.length < round.exams ? () => void more() : null}
        empty={<p className="quiet">Nothing was unread when this round was drawn.</p>}
      />
    </Panel>
  );
}
