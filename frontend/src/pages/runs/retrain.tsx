import { useState } from "react";
import type { Body } from "../../api/addresses";
import { post } from "../../api/fetch";
import { Link, navigate } from "../../router";
import { useAll, useAnswer, useDeed } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { Action } from "../../ui/action";
import { CheckField, SelectField, TextField } from "../../ui/field";
import { words } from "../../ui/format";
import { Empty, Panel } from "../../ui/panel";
import type { Snapshot } from "../contract";
import { MethodChoice } from "./method-choice";
import { taskOf } from "./tasks";

const SIZES: Readonly<Record<string, string>> = {
  tiny: "tiny: minutes on a processor",
  base: "base: a graphics card",
  large: "large: a big graphics card",
};

type Compute = NonNullable<Body<"post", "runs/">["compute"]>;

/** Choose snapshot, method, size and where to start from; refused options stay, with their reason. */
export function Retrain({ wanted, onClose }: { wanted: string | null; onClose: () => void }) {
  const { project } = useHere();
  const list = useAll("snapshots/", { project: project.id }, 5);
  const frozen = list.data?.filter((row) => row.state === "frozen") ?? [];
  const [chosen, setChosen] = useState<string | null>(wanted);
  const snapshot = frozen.find((row) => row.id === chosen) ?? frozen[0];
  return (
    <Panel title="Retrain">
      <Problem error={list.error} onRetry={list.reload} />
      {list.data && !snapshot && (
        <Empty title="Nothing to train from yet.">
          A training starts from a frozen snapshot. <Link href="/snapshots">Freeze one</Link> of what has been
          read.
        </Empty>
      )}
      {snapshot && (
        <>
          <SelectField
            label="Snapshot"
            value={snapshot.id}
            onChange={setChosen}
            options={frozen.map((row) => ({
              value: row.id,
              label: `v${row.number}, ${row.counts?.exams ?? 0} exams`,
            }))}
          />
          <Options key={snapshot.id} snapshot={snapshot} onClose={onClose} />
        </>
      )}
    </Panel>
  );
}

function Options({ snapshot, onClose }: { snapshot: Snapshot; onClose: () => void }) {
  const { project } = useHere();
  const methods = useAnswer("methods/", { snapshot: snapshot.id });
  const models = useAll("models/", { project: project.id });
  const weights = useAll("weights/", { project: project.id });
  const [name, setName] = useState<string | null>(null);
  const [wantedTask, setTask] = useState("");
  const [size, setSize] = useState("tiny");
  const [init, setInit] = useState("");
  const [seed, setSeed] = useState("0");
  const [compute, setCompute] = useState<Compute>({});
  const allowed = methods.data?.filter((m) => m.allowed);
  // Retraining is mostly doing again what was done last.
  const usual = name ?? models.data?.[0]?.method;
  const method = allowed?.find((m) => m.name === usual) ?? allowed?.[0];
  const task = taskOf(method, wantedTask);
  const versions =
    models.data?.filter((m) => m.method === method?.name && m.size === size && m.task === task) ?? [];
  const starts = [
    ...versions.map((m) => ({ value: `version ${m.id}`, label: `from model ${m.number} (${m.state})` })),
    ...(weights.data ?? []).map((w) => ({
      value: `weights ${w.id}`,
      label: `with the trunk of ${w.name}${w.family ? ` (${w.family})` : ""}`,
    })),
  ];
  const from = starts.some((start) => start.value === init) ? init : "";
  const [kind = "", id = ""] = from.split(" ");
  const seedError = /^\d{1,9}$/.test(seed) ? null : "A whole number from 0.";
  const start = useDeed(async () => {
    if (!method || !task) return;
    const run = await post("runs/", {
      snapshot: snapshot.id,
      method: method.name,
      task,
      size,
      seed: Number(seed),
      ...(from ? { init: { [kind]: id } } : {}),
      compute,
    });
    navigate(`/runs/${run.id}`);
  });
  if (!methods.data) return <Problem error={methods.error} onRetry={methods.reload} />;
  const refused = method
    ? seedError
    : "No method can learn from this snapshot: the reasons stand beside each.";
  return (
    <div className="form wide">
      <MethodChoice methods={methods.data} chosen={method?.name ?? null} onChoose={setName} />
      <div className="form-row">
        {method && method.serves.length > 1 && (
          <SelectField
            label="Task"
            value={task ?? ""}
            onChange={setTask}
            options={method.serves.map((served) => ({
              value: served.task,
              label: words(served.task),
              disabled: served.refusal !== null,
            }))}
          />
        )}
        <SelectField
          label="Size"
          value={size}
          onChange={setSize}
          options={(method?.sizes ?? Object.keys(SIZES)).map((s) => ({ value: s, label: SIZES[s] ?? s }))}
        />
        <SelectField
          label="Start"
          value={from}
          onChange={setInit}
          options={[{ value: "", label: "from scratch" }, ...starts]}
          hint={startHint(kind, starts.length)}
        />
        <TextField label="Seed" type="number" value={seed} onChange={setSeed} error={seedError} />
      </div>
      <Machine compute={compute} onChange={setCompute} />
      <Problem error={start.error} />
      <div className="form-row">
        <Action kind="primary" busy={start.busy} refused={refused} onClick={() => void start.run()}>
          Retrain
        </Action>
        <Action onClick={onClose}>Close</Action>
      </div>
    </div>
  );
}

/** What the chosen start comes to, before the learner has looked at it. */
function startHint(kind: string, starts: number): string | undefined {
  if (kind === "weights")
    return "The run ends at once, with the reason, where the method has no trunk or the file is of another network.";
  return starts ? undefined : "No earlier version of this method, size and task, and no brought weights.";
}

const PRECISIONS = [
  { value: "auto", label: "as the machine has it" },
  { value: "fp32", label: "full (fp32)" },
  { value: "bf16", label: "half (bf16)" },
  { value: "fp16", label: "half (fp16)" },
];

/** How the worker's machine is used; most need none of it. */
function Machine({ compute, onChange }: { compute: Compute; onChange: (compute: Compute) => void }) {
  return (
    <details>
      <summary>The machine</summary>
      <div className="form">
        <SelectField
          label="Numbers"
          value={compute.precision ?? "auto"}
          onChange={(precision) => onChange({ ...compute, precision: precision as "auto" })}
          options={PRECISIONS}
        />
        <CheckField
          label="Save memory"
          hint="Parts are computed again: a third more time, the same weights."
          checked={compute.gradient_checkpointing ?? false}
          onChange={(gradient_checkpointing) => onChange({ ...compute, gradient_checkpointing })}
        />
        <CheckField
          label="Repeatable"
          hint="The same weights every time on one machine; slower on a GPU."
          checked={compute.deterministic ?? false}
          onChange={(deterministic) => onChange({ ...compute, deterministic })}
        />
      </div>
    </details>
  );
}
