import { useState } from "react";
import { patch } from "../../api/fetch";
import { loadSession } from "../../api/session";
import { useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { Action } from "../../ui/action";
import { TextField } from "../../ui/field";
import { percent, words } from "../../ui/format";
import { Facts, Panel } from "../../ui/panel";
import type { Project } from "../contract";

/** The defaults that the ranking uses where a project says nothing. */
export const DEFAULT_WEIGHTS: Readonly<Record<string, number>> = {
  density: 1,
  mass: 1,
  calcification: 1,
  architectural_distortion: 1.5,
  asymmetry: 0.75,
};

/** What is wrong with a weight, if anything. Pure. */
export function weightError(text: string): string | null {
  const value = Number(text);
  return text.trim() !== "" && value >= 0 && value <= 100 ? null : "A number from 0 to 100.";
}

/** Name and weights can be changed; what draws splits cannot, because splits never move. */
export function Rules({ project, onChanged }: { project: Project; onChanged: () => void }) {
  const [name, setName] = useState(project.name);
  const [weights, setWeights] = useState<Record<string, string>>(() =>
    Object.fromEntries(
      Object.entries({ ...DEFAULT_WEIGHTS, ...project.weights }).map(([k, v]) => [k, String(v)]),
    ),
  );
  const [saved, setSaved] = useState(false);
  const save = useDeed(async () => {
    const numbers = Object.fromEntries(Object.entries(weights).map(([part, text]) => [part, Number(text)]));
    await patch(`projects/${project.id}/`, { name, weights: numbers });
    await loadSession();
    setSaved(true);
    onChanged();
  });
  const wrong = Object.values(weights).some((text) => weightError(text))
    ? "A weight is no number from 0 to 100."
    : null;
  return (
    <Panel title="Rules">
      <div className="form">
        <TextField label="Name" value={name} onChange={setName} required />
        <div className="form-row">
          {Object.entries(weights).map(([part, text]) => (
            <TextField
              key={part}
              label={`Weight of ${words(part)}`}
              type="number"
              value={text}
              error={weightError(text)}
              onChange={(value) => setWeights({ ...weights, [part]: value })}
            />
          ))}
        </div>
        <p className="hint">
          An exam's score is the weighted mean of its parts' ranks. The next round uses new weights.
        </p>
        <Facts
          rows={[
            ["readings per exam", String(project.readings_per_exam)],
            ["audit share", percent(project.audit_share)],
            ["seed", `${project.seed}: it drew the splits, which never move`],
          ]}
        />
        <Problem error={save.error} />
        <div className="form-row">
          <Action
            kind="primary"
            busy={save.busy}
            refused={name.trim() ? wrong : "A project has a name."}
            onClick={() => void save.run()}
          >
            Save
          </Action>
          {saved && <span role="status">Saved.</span>}
        </div>
      </div>
    </Panel>
  );
}
