import { useState } from "react";
import { post } from "../../api/fetch";
import { loadSession } from "../../api/session";
import { navigate } from "../../router";
import { useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { Action } from "../../ui/action";
import { TextField } from "../../ui/field";
import { Panel } from "../../ui/panel";

/** Make another reading study. */
export function NewProject() {
  const [name, setName] = useState("");
  const [readings, setReadings] = useState("1");
  const readingsError = /^([1-9]|10)$/.test(readings) ? null : "From 1 to 10.";
  const make = useDeed(async () => {
    const made = await post("projects/", { name, readings_per_exam: Number(readings) });
    await loadSession();
    navigate(`/?project=${encodeURIComponent(made.slug)}`);
  });
  return (
    <Panel title="New project">
      <div className="form-row">
        <TextField label="Name" value={name} onChange={setName} autoComplete="off" />
        <TextField
          label="Readings per exam"
          type="number"
          value={readings}
          onChange={setReadings}
          error={readingsError}
        />
        <Action
          busy={make.busy}
          refused={name.trim() ? readingsError : "Give it a name."}
          onClick={() => void make.run()}
        >
          Make project
        </Action>
      </div>
      <Problem error={make.error} />
    </Panel>
  );
}
