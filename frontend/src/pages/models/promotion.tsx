import { useState } from "react";
import { post } from "../../api/fetch";
import { navigate } from "../../router";
import { useAll, useAnswer, useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { Dialog } from "../../ui/dialog";
import { counted, words } from "../../ui/format";
import type { Model } from "../contract";

type Step = "promote" | "retire";

/** Promote, roll back, retire; to administrators. */
export function Steps({ model, onChanged }: { model: Model; onChanged: () => void }) {
  const { role } = useHere();
  const [asking, setAsking] = useState<Step | null>(null);
  if (role !== "admin") return null;
  return (
    <>
      {model.state !== "promoted" && (
        <Action kind="primary" onClick={() => setAsking("promote")}>
          {model.state === "retired" ? "Roll back to this one…" : "Promote…"}
        </Action>
      )}
      {model.state !== "retired" && <Action onClick={() => setAsking("retire")}>Retire…</Action>}
      {asking && (
        <StepDialog model={model} step={asking} onClose={() => setAsking(null)} onChanged={onChanged} />
      )}
    </>
  );
}

interface DialogProps {
  readonly model: Model;
  readonly step: Step;
  readonly onClose: () => void;
  readonly onChanged: () => void;
}

function StepDialog({ model, step, onClose, onChanged }: DialogProps) {
  const { project } = useHere();
  const loop = useAnswer(`projects/${project.id}/loop/`);
  const models = useAll("models/", { project: project.id, task: model.task, state: "promoted" });
  const before = models.data?.[0];
  const take = useDeed(async () => {
    const job = step === "promote" ? (await post(`models/${model.id}/promote/`)).job : null;
    if (step === "retire") await post(`models/${model.id}/retire/`);
    onClose();
    onChanged();
    if (job) navigate(`/jobs/${job}`);
  });
  const waiting = loop.data ? counted(loop.data.read.waiting, "exam") : "the exams";
  return (
    <Dialog
      title={step === "promote" ? `Promote model ${model.number}?` : `Retire model ${model.number}?`}
      onClose={onClose}
    >
      {step === "promote" ? (
        <p>
          Model {model.number} will rank by {words(model.task)}
          {before && before.id !== model.id ? `, and model ${before.number} retires` : ""}. A job scores every
          training exam that nobody has read; then the order of what waits ({waiting}) changes for all
          readers. Exams that are open stay with their readers. You can roll back at any time.
        </p>
      ) : (
        <p>
          {model.state === "promoted"
            ? `Nothing will rank by ${words(model.task)} until another model is promoted; the order of what waits (${waiting}) changes for all readers.`
            : "It will not be offered for promotion any more; it can still be rolled back to."}{" "}
          Its report and its folder stay.
        </p>
      )}
      <Problem error={take.error} />
      <div className="dialog-keys">
        <Action onClick={onClose}>Leave it</Action>
        <Action
          kind={step === "promote" ? "primary" : "danger"}
          busy={take.busy}
          onClick={() => void take.run()}
        >
          {step === "promote" ? `Promote model ${model.number}` : `Retire model ${model.number}`}
        </Action>
      </div>
    </Dialog>
  );
}
