import { useState } from "react";
import { navigate } from "../../router";
import { Action } from "../../ui/action";
import { words } from "../../ui/format";
import type { Column } from "../../ui/table/table";

/** A row of a table that may have a model: its number is that of the run and of the model. */
export interface Candidate {
  readonly number: number;
  readonly task: string;
  /** The model's id; null where there is none (yet). */
  readonly model: string | null;
}

/** Why these cannot be compared; null for two models of one task. Pure. */
export function refusalOf(ticked: readonly Candidate[]): string | null {
  if (ticked.length < 2) return ticked.length === 0 ? "Tick two models." : "Tick one more.";
  if (ticked.length > 2) return `Two at a time, and ${ticked.length} are ticked.`;
  const [first, second] = ticked.map((row) => words(row.task));
  return first === second ? null : `One learned ${first}, the other ${second}.`;
}

/** Ticks beside the rows of a table, and the button that opens the comparison of the two ticked ones. */
export function useTwo<R>(rows: readonly R[], candidateOf: (row: R) => Candidate) {
  const [ticked, setTicked] = useState<readonly string[]>([]);
  const candidates = rows.map(candidateOf);
  const chosen = ticked.flatMap((model) => candidates.find((row) => row.model === model) ?? []);
  const turn = (model: string) =>
    setTicked((were) => (were.includes(model) ? were.filter((id) => id !== model) : [...were, model]));
  const column: Column<R> = {
    key: "compare",
    label: "Compare",
    bare: true,
    value: () => null,
    cell: (row) => {
      const { number, model } = candidateOf(row);
      if (model === null) return <span className="quiet">—</span>;
      return (
        <label className="tick">
          <input type="checkbox" checked={ticked.includes(model)} onChange={() => turn(model)} />
          <span className="visually-hidden">Compare model {number}</span>
        </label>
      );
    },
  };
  const button = (
    <Action
      refused={refusalOf(chosen)}
      onClick={() => navigate(`/models/${chosen.map((row) => row.model).join("/compare/")}`)}
    >
      Compare
    </Action>
  );
  return { column, button };
}
