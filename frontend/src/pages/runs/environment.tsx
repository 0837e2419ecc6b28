import { duration } from "../../ui/format";
import { type Fact, Facts, Panel } from "../../ui/panel";
import type { RunDetail } from "../contract";
import { memoryText } from "../methods/cards";
import { beganText, stageReports } from "./began";

/** The machine of a run that has finished, and what each stage took from what it began with, key by key. */
export function Environment({ run }: { run: RunDetail }) {
  const { environment } = run;
  const stages = stageReports(environment);
  const memory = memoryText(environment);
  if (Object.keys(environment).length === 0) return null;
  return (
    <Panel title="Environment">
      <Facts
        rows={[
          [
            "machine",
            [environment.device, environment.gpu, environment.precision].filter(Boolean).join(", "),
          ],
          ["torch", String(environment.torch_build ?? "—")],
          ["python", String(environment.python ?? "—")],
          memory !== "" && ["at most", memory],
          typeof environment.seconds === "number" && ["in all", duration(environment.seconds)],
          ...stages.map(([name, report]): Fact => [`${name} began`, beganText(report)]),
        ]}
      />
      <details>
        <summary>environment.json, with the report on loaded weights</summary>
        <pre className="log">{JSON.stringify(environment, null, 2)}</pre>
      </details>
    </Panel>
  );
}
