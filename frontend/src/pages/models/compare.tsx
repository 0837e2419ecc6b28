import { useEffect, useState } from "react";
import { post } from "../../api/fetch";
import type { components } from "../../api/schema";
import { Link, navigate, type PageProps } from "../../router";
import { useAll, useAnswer, useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useBelongsTo, useHere } from "../../shell/project";
import { Lines } from "../../ui/charts/lines";
import { useChosen } from "../../ui/chosen";
import { SelectField } from "../../ui/field";
import { counted, figure, interval, words } from "../../ui/format";
import { Empty, PageHead, Panel, State } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Model } from "../contract";
import { comparedTargets, overlaid, type Pair, pairsOf, settingText, verdictOf } from "./comparing";
import { figureName, splitsOf } from "./report";
import "./models.css";

type Comparison = components["schemas"]["ComparisonOut"];

/** Two versions of a task on the patients that both never saw. */
export default function ComparePage({ params }: PageProps) {
  const address = `models/${params.id}/compare/${params.other}/` as const;
  const [asked, setAsked] = useState(false);
  const order = useDeed(async () => {
    await post(address);
    setAsked(true);
  });
  const { run } = order;
  // Asked for once by whoever opens the page; the server keeps what came of it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another pair is another order
  useEffect(() => void run(), [run, address]);
  const [seconds, setSeconds] = useState<number | null>(2);
  const { data, error, reload } = useAnswer(asked ? address : null, null, seconds);
  useBelongsTo(data?.first.project);
  useEffect(() => setSeconds(data?.done ? null : 2), [data?.done]);
  return (
    <main className="page">
      <Problem error={order.error ?? error} onRetry={order.error ? () => void run() : reload} />
      {data && <Compared of={data} />}
    </main>
  );
}

function Compared({ of }: { of: Comparison }) {
  const { first, second } = of;
  const splits = splitsOf(of.rows);
  const [split, choose] = useChosen(splits);
  return (
    <>
      <PageHead
        title={`Model ${first.number} beside model ${second.number}`}
        about={`${words(first.task)}, on the same patients`}
      />
      <div className="columns">
        <About name="First" model={first} />
        <About name="Second" model={second} />
      </div>
      {!of.done && (
        <p role="status">
          Comparing… {of.job ? <Link href={`/jobs/${of.job}`}>The job</Link> : "It"} goes on when this page is
          closed.
        </p>
      )}
      {of.done && split === undefined && (
        <Empty title="They cannot be compared.">{[...new Set(Object.values(of.refusals))].join("; ")}</Empty>
      )}
      {of.done && split !== undefined && (
        <>
          <fieldset className="tabs">
            <legend className="visually-hidden">Patients</legend>
            {splits.map((name) => (
              <label key={name}>
                <input type="radio" name="split" checked={name === split} onChange={() => choose(name)} />
                {name === "val" ? "validation" : name}, {counted(of.patients[name] ?? 0, "patient")}
              </label>
            ))}
          </fieldset>
          <Differences of={of} split={split} />
          <Curves of={of} split={split} />
        </>
      )}
      <Settings of={of} />
    </>
  );
}

function About({ name, model }: { name: string; model: Model }) {
  return (
    <Panel title={name}>
      <p>
        <Link href={`/models/${model.id}`}>Model {model.number}</Link> <State of={model.state} />{" "}
        {model.method}, {model.size}, seed {model.seed}, snapshot v{model.snapshot_number}
      </p>
    </Panel>
  );
}

const columns: readonly Column<Pair>[] = [
  { key: "figure", label: "Figure", value: (row) => figureName(row.name) },
  { key: "of", label: "Of", value: (row) => words(row.target) },
  { key: "level", label: "Per", value: (row) => row.level },
  {
    key: "first",
    label: "First",
    number: true,
    value: (row) => row.first.value,
    cell: (row) => figure(row.first.value),
  },
  {
    key: "second",
    label: "Second",
    number: true,
    value: (row) => row.second.value,
    cell: (row) => figure(row.second.value),
  },
  {
    key: "difference",
    label: "First − second [95 %]",
    number: true,
    value: (row) => row.difference.value,
    cell: ({ difference: { value, ci } }) => (
      <>
        {value !== null && value >= 0 ? "+" : ""}
        {figure(value)} <span className="quiet">{ci ? `[${interval(ci)}]` : "no interval"}</span>
      </>
    ),
  },
  { key: "verdict", label: "Evidence", value: verdictOf },
];

function Differences({ of, split }: { of: Comparison; split: string }) {
  const rows = pairsOf(of.rows, split);
  const main = rows.filter((row) => row.headline);
  const rest = rows.filter((row) => !row.headline);
  return (
    <Panel title="Differences">
      <p className="quiet">
        Patients are drawn with replacement, the same ones for both models; labels are those of snapshot v
        {of.truth_snapshot}.
      </p>
      <Table
        name="Differences"
        rows={main}
        columns={columns}
        rowKey={(row) => row.key}
        empty={<p className="quiet">No figure that models are judged by has a value on both sides.</p>}
      />
      {rest.length > 0 && (
        <details>
          <summary>{counted(rest.length, "more figure")}</summary>
          <Table
            name="More differences"
            sortWord="more"
            rows={rest}
            columns={columns}
            rowKey={(row) => row.key}
          />
        </details>
      )}
    </Panel>
  );
}

function Curves({ of, split }: { of: Comparison; split: string }) {
  const names = [`model ${of.first.number}`, `model ${of.second.number}`] as const;
  const plots = overlaid(of.first_curves, of.second_curves, split, names, comparedTargets(of.rows, split));
  return (
    <div className="columns">
      {plots.map((plot) => (
        <Panel key={plot.title} title={plot.title}>
          <Lines
            title={plot.title}
            series={plot.series}
            diagonal={plot.diagonal}
            marks={plot.marks}
            x={plot.x}
            y={plot.y}
            width={420}
            height={300}
          />
        </Panel>
      ))}
    </div>
  );
}

function Settings({ of }: { of: Comparison }) {
  return (
    <Panel title="Settings that differ">
      <Table
        name="Settings"
        sortWord="settings"
        rows={of.settings_apart}
        columns={[
          { key: "name", label: "Setting", value: (row) => row.name.replace("config.", "") },
          { key: "first", label: "First", value: (row) => settingText(row.first) },
          { key: "second", label: "Second", value: (row) => settingText(row.second) },
        ]}
        rowKey={(row) => row.name}
        empty={<p className="quiet">None: they were made alike.</p>}
      />
    </Panel>
  );
}

/** Choose another version of the same task; its page opens. */
export function CompareWith({ model }: { model: Model }) {
  const { project } = useHere();
  const models = useAll("models/", { project: project.id, task: model.task });
  const others = models.data?.filter((row) => row.id !== model.id) ?? [];
  if (models.error) return <Problem error={models.error} onRetry={models.reload} />;
  if (others.length === 0) return null;
  return (
    <SelectField
      label="Compare with"
      value=""
      onChange={(other) => other && navigate(`/models/${model.id}/compare/${other}`)}
      options={[
        { value: "", label: "another model…" },
        ...others.map((row) => ({ value: row.id, label: `Model ${row.number}, ${row.method}, ${row.size}` })),
      ]}
    />
  );
}
