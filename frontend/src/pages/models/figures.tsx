import type { ReactNode } from "react";
import { count, counted, figure, interval, words } from "../../ui/format";
import { Panel } from "../../ui/panel";
import { type Column, Table } from "../../ui/table/table";
import type { Metric } from "../contract";
import {
  commonNotes,
  type FigureLine,
  figureLines,
  figureName,
  gapText,
  isDenseGap,
  notesOf,
  reasonOfNull,
  spoken,
  verdict,
} from "./report";

/** A value with its 95 % interval; where there is none, why. */
function Value({ of }: { of: Metric }) {
  if (of.value === null) return <span className="quiet why-none">{reasonOfNull(of.reason)}</span>;
  return (
    <>
      {figure(of.value)} <span className="quiet">{of.ci ? `[${interval(of.ci)}]` : ""}</span>
    </>
  );
}

/** What a figure is of and what it is; `common` is said of the whole table already. */
const base = (common: readonly string[]): readonly Column<FigureLine>[] => [
  { key: "figure", label: "Figure", value: ({ model }) => figureName(model.name) },
  { key: "target", label: "Of", value: ({ model }) => words(model.target) },
  { key: "level", label: "By", value: ({ model }) => words(model.level) },
  {
    key: "value",
    label: "Model [95 %]",
    number: true,
    value: ({ model }) => model.value,
    cell: ({ model }) => (
      <>
        <Value of={model} />
        {notesOf(model)
          .filter((note) => !common.includes(note))
          .map((note) => (
            <div key={note} className="verdict">
              {note}
            </div>
          ))}
      </>
    ),
  },
];

/** The column of one baseline: its value, and what the paired difference says. */
function columnOf(name: string): Column<FigureLine> {
  const of = (line: FigureLine) => line.beside.find((b) => b.name === name);
  return {
    key: name,
    label: `${words(name)} [95 %]`,
    number: true,
    value: (line) => of(line)?.value.value,
    cell: (line) => {
      const found = of(line);
      return found ? <Against value={found.value} difference={found.difference} /> : "—";
    },
  };
}

/** A baseline's value; below it the paired difference with its interval, and whether it is evidence. */
function Against({ value, difference }: { value: Metric; difference: Metric | null }) {
  return (
    <>
      <Value of={value} />
      {difference?.value != null && (
        <div className={verdict(difference) === "better" ? "verdict is-better" : "verdict"}>
          model {difference.value >= 0 ? "+" : ""}
          {figure(difference.value)} {difference.ci ? `[${interval(difference.ci)}]` : ""} ·{" "}
          {verdict(difference)}
        </div>
      )}
    </>
  );
}

const counts: readonly Column<FigureLine>[] = [
  {
    key: "patients",
    label: "Patients",
    number: true,
    value: ({ model }) => model.n_patients,
    cell: ({ model }) => count(model.n_patients),
  },
  {
    key: "pos",
    label: "Positive",
    number: true,
    value: ({ model }) => model.n_pos,
    cell: ({ model }) => count(model.n_pos),
  },
];

/** Whether the model serves dense breasts worse: of each finding of which that can be told, else why of none. */
function Gaps({ lines }: { lines: readonly FigureLine[] }) {
  const all = lines.map(({ model }) => model).filter(isDenseGap);
  const told = all.filter((gap) => gap.value !== null);
  return (told.length ? told : all.slice(0, 1)).map((gap) => (
    <p
      key={`${gap.target} ${gap.level}`}
      className={gap.params.verdict === "worse in dense" ? "warn" : undefined}
    >
      {words(gap.target)}: {gapText(gap)}
    </p>
  ));
}

/** Lines of figures; what is noted of each of them is said once below. */
function FigureTable({
  name,
  rows,
  columns,
  sortWord,
  empty,
}: {
  name: string;
  rows: readonly FigureLine[];
  columns: (common: readonly string[]) => readonly Column<FigureLine>[];
  sortWord?: string;
  empty?: ReactNode;
}) {
  const common = commonNotes(rows.map(({ model }) => model));
  return (
    <>
      <Table
        name={name}
        rows={rows}
        columns={columns(common)}
        rowKey={(line) => line.key}
        empty={empty}
        {...(sortWord ? { sortWord } : {})}
      />
      {common.map((note) => (
        <p key={note} className="quiet">
          {note} (all of the model's figures above)
        </p>
      ))}
    </>
  );
}

/** What the model is worth on patients of one split, beside what is worth little. */
export function Figures({ metrics, split }: { metrics: readonly Metric[]; split: string }) {
  const lines = figureLines(metrics).filter((line) => line.model.split === split);
  const main = lines.filter((line) => line.headline);
  const rest = lines.filter((line) => !line.headline && !line.model.subgroup);
  const groups = lines.filter((line) => line.model.subgroup);
  const { told, silent } = spoken(main);
  const names = [...new Set(main.flatMap((line) => line.beside.map((b) => b.name)))];
  const columns = (common: readonly string[]) => [...base(common), ...names.map(columnOf), ...counts];
  const group: Column<FigureLine> = {
    key: "group",
    label: "Group",
    value: ({ model }) =>
      Object.entries(model.subgroup ?? {})
        .map(([k, v]) => `${words(k)} ${v}`)
        .join(", "),
  };
  return (
    <Panel title="Figures">
      <FigureTable
        name="Figures"
        rows={told}
        columns={columns}
        empty={
          silent.length === 0 && (
            <p className="quiet">No patient of this kind has been read, so nothing can be measured.</p>
          )
        }
      />
      {told.some((line) => line.model.params.wide) && (
        <p className="warn">
          Fewer than ten patients with a positive: no interval says much of so few, and none is called
          evidence.
        </p>
      )}
      <Gaps lines={groups} />
      {silent.length > 0 && (
        <p className="quiet">
          Not measured: {silent.map(({ target, reason }) => `${words(target)} (${reason})`).join(", ")}.
        </p>
      )}
      {rest.length > 0 && (
        <details>
          <summary>{counted(rest.length, "more figure")}</summary>
          <FigureTable name="More figures" sortWord="more" rows={rest} columns={columns} />
        </details>
      )}
      {groups.length > 0 && (
        <details>
          <summary>By group of patients</summary>
          <FigureTable
            name="Figures by group"
            sortWord="groups"
            rows={groups}
            columns={(common) => [group, ...base(common), ...counts]}
          />
        </details>
      )}
    </Panel>
  );
}
