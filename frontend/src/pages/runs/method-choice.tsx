import { useId } from "react";
import { words } from "../../ui/format";
import type { Method } from "../contract";
import { byTask, plain } from "../methods/cards";
import { refusedTasks } from "./tasks";

interface Props {
  readonly methods: readonly Method[];
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

/** The methods as choices, by what they mainly learn; a refused one or task stays, and says what is missing. */
export function MethodChoice({ methods, chosen, onChoose }: Props) {
  const group = useId();
  return byTask(methods).map(([task, own]) => (
    <fieldset key={task} className="choices side-by-side">
      <legend>{words(task)}</legend>
      {own.map((method) => (
        <label key={method.name} className={method.allowed ? "choice" : "choice is-refused"}>
          <input
            type="radio"
            name={group}
            value={method.name}
            checked={method.name === chosen}
            disabled={!method.allowed}
            onChange={() => onChoose(method.name)}
          />
          <span>
            <strong>{method.name}</strong>
            {method.findings.length > 0 && `: ${method.findings.map(words).join(", ")}`}
          </span>
          {method.refusal && <span className="warn">{plain(method.refusal)}</span>}
          {method.serves.length > 1 && <span>{alsoText(method)}</span>}
          {method.allowed &&
            refusedTasks(method).map((served) => (
              <span key={served.task} className="warn">
                not {words(served.task)}: {plain(served.refusal ?? "")}
              </span>
            ))}
          <span className="hint">{method.reference}</span>
        </label>
      ))}
    </fieldset>
  ));
}

function alsoText({ task, serves }: Method): string {
  const others = serves.filter((served) => served.task !== task);
  return `also ${others.map((served) => words(served.task)).join(", ")}`;
}
