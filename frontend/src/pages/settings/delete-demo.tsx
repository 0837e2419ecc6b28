import { useState } from "react";
import { remove } from "../../api/fetch";
import { loadSession } from "../../api/session";
import { navigate } from "../../router";
import { useAnswer, useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { Action } from "../../ui/action";
import { Dialog } from "../../ui/dialog";
import { TextField } from "../../ui/field";
import { counted } from "../../ui/format";
import { Panel } from "../../ui/panel";
import type { Project } from "../contract";

/** One button that takes the demo away; a study stays, and the button says why. */
export function DeleteDemo({ project }: { project: Project }) {
  const [asking, setAsking] = useState(false);
  return (
    <Panel title="Remove the demo">
      <Action
        kind="danger"
        refused={
          project.kind === "demo"
            ? null
            : "Only the demo project can be removed; labelled data of a study are kept."
        }
        onClick={() => setAsking(true)}
      >
        Remove this project…
      </Action>
      {asking && <Confirm project={project} onClose={() => setAsking(false)} />}
    </Panel>
  );
}

function Confirm({ project, onClose }: { project: Project; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const loop = useAnswer(`projects/${project.id}/loop/`);
  const end = useDeed(async () => {
    await remove(`projects/${project.id}/`);
    await loadSession();
    navigate("/");
  });
  const exams = loop.data ? counted(loop.data.images.exams, "exam") : "all exams";
  const readings = loop.data ? counted(loop.data.read.complete, "reading") : "all readings";
  return (
    <Dialog title={`Remove ${project.name}?`} onClose={onClose}>
      <p>
        This removes {exams}, {readings}, and all snapshots, runs, models and exports of the project, for
        everybody. It cannot be undone. Other projects are not touched.
      </p>
      <TextField
        label={`Type the name of the project: ${project.name}`}
        value={typed}
        onChange={setTyped}
        autoComplete="off"
      />
      <Problem error={end.error} />
      <div className="dialog-keys">
        <Action onClick={onClose}>Leave it</Action>
        <Action
          kind="danger"
          busy={end.busy}
          refused={typed.trim() === project.name ? null : "The name does not fit yet."}
          onClick={() => void end.run()}
        >
          Remove
        </Action>
      </div>
    </Dialog>
  );
}
