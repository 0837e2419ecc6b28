import { useState } from "react";
import { post } from "../../api/fetch";
import { navigate } from "../../router";
import { useDeed, useList } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { Dialog } from "../../ui/dialog";
import { CheckField, Field } from "../../ui/field";
import { count, counted } from "../../ui/format";
import { Panel } from "../../ui/panel";
import type { DryRun, Snapshot } from "../contract";
import { change, comparison, findingsIn } from "./compare";
import { useDryRun } from "./find";

/** Why nothing can be frozen now; null where it can. */
function refusal(dry: DryRun | undefined): string | null {
  if (!dry) return "Counting…";
  if (dry.without_consensus.length) {
    const n = dry.without_consensus.length;
    return `${counted(n, "exam")} ${n === 1 ? "has" : "have"} more than one reading and no adjudication.`;
  }
  return dry.counts.exams ? null : "No exam has been read yet.";
}

/** The dry run beside the last snapshot, and the button that freezes. */
export function Freeze() {
  const { project } = useHere();
  const [references, setReferences] = useState(false);
  const [asking, setAsking] = useState(false);
  const snapshots = useList("snapshots/", { project: project.id });
  const dry = useDryRun(project.id, references);
  const last = snapshots.rows?.find((row) => row.state === "frozen") ?? null;
  const next = (snapshots.rows?.[0]?.number ?? 0) + 1;
  return (
    <Panel title={`A freeze now would be v${next}`}>
      <Problem error={dry.error} onRetry={dry.reload} />
      <CheckField
        label="Take the labels that came with a data set, where nobody here has read the exam"
        hint="(reference readings; they stay marked as such)"
        checked={references}
        onChange={setReferences}
      />
      {dry.data && <Comparison dry={dry.data} last={last} />}
      <Action kind="primary" refused={refusal(dry.data)} onClick={() => setAsking(true)}>
        Freeze v{next}…
      </Action>
      {asking && dry.data && (
        <FreezeDialog dry={dry.data} number={next} references={references} onClose={() => setAsking(false)} />
      )}
    </Panel>
  );
}

function Comparison({ dry, last }: { dry: DryRun; last: Snapshot | null }) {
  const lines = comparison(last ? last.counts : null, dry.counts);
  return (
    <div className="table-box">
      <table className="table narrow" aria-label="Counts before and after">
        <thead>
          <tr>
            <th scope="col">Count</th>
            <th scope="col" className="number">
              {last ? `v${last.number}` : "before"}
            </th>
            <th scope="col" className="number">
              now
            </th>
            <th scope="col" className="number">
              change
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.name}>
              <td>{line.name}</td>
              <td className="number">{count(line.before)}</td>
              <td className="number">{count(line.after)}</td>
              <td className="number">{change(line)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface DialogProps {
  readonly dry: DryRun;
  readonly number: number;
  readonly references: boolean;
  readonly onClose: () => void;
}

function FreezeDialog({ dry, number, references, onClose }: DialogProps) {
  const { project } = useHere();
  const [note, setNote] = useState("");
  const freeze = useDeed(async () => {
    const made = await post("snapshots/", { project: project.id, policy: { references }, note });
    onClose();
    navigate(`/snapshots/v${made.number}`);
  });
  return (
    <Dialog title={`Freeze snapshot v${number}?`} onClose={onClose}>
      <p>
        This copies the labels of {counted(dry.counts.exams, "exam")} with{" "}
        {counted(findingsIn(dry.counts), "finding")} as they are now. A frozen snapshot can never be changed
        or taken back; later corrections go into the next one. Readers go on undisturbed.
      </p>
      <Field label="Note (what is it for?)">
        {(ids) => (
          <textarea
            {...ids}
            rows={2}
            maxLength={2000}
            value={note}
            onChange={(e) => setNote(e.target.value)}
          />
        )}
      </Field>
      <Problem error={freeze.error} />
      <div className="dialog-keys">
        <Action onClick={onClose}>Leave it</Action>
        <Action kind="primary" busy={freeze.busy} onClick={() => void freeze.run()}>
          Freeze v{number}
        </Action>
      </div>
    </Dialog>
  );
}
