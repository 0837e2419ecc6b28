import { useState } from "react";
import { patch } from "../../api/fetch";
import { useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { TextField } from "../../ui/field";
import { Panel } from "../../ui/panel";

/** Change one's own password. */
export function Password() {
  const { me } = useHere();
  const [first, setFirst] = useState("");
  const [again, setAgain] = useState("");
  const [done, setDone] = useState(false);
  const change = useDeed(async () => {
    await patch(`users/${me.id}/`, { password: first });
    setFirst("");
    setAgain("");
    setDone(true);
  });
  const differs = again && first !== again ? "The two differ." : null;
  return (
    <Panel title="My password">
      <div className="form-row">
        <TextField
          label="New password"
          type="password"
          value={first}
          onChange={setFirst}
          autoComplete="new-password"
        />
        <TextField
          label="Again"
          type="password"
          value={again}
          onChange={setAgain}
          error={differs}
          autoComplete="new-password"
        />
        <Action
          busy={change.busy}
          refused={first && first === again ? null : (differs ?? "Type it twice.")}
          onClick={() => void change.run()}
        >
          Change password
        </Action>
      </div>
      {done && <p role="status">Changed. Other places where you are signed in must sign in again.</p>}
      <Problem error={change.error} />
    </Panel>
  );
}
