import { useId } from "react";
import { words } from "../../ui/format";
import type { Method } from "../contract";
import { byTask } from "../methods/cards";

interface Props {
  readonly methods: readonly Method[];
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

/** The methods as choices with what they learn and where they come from; a refused one says what is missing. */
export function MethodChoice({ methods, chosen, onChoose }: Props) {
  const group = useId();
  return (
    <fieldset className="choices">
      <legend>Method</legend>
      {byTask(methods)
        .flatMap(([, own]) => own)
        .map((method) => (
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
              <strong>{method.name}</strong> · {method.serves.map((served) => words(served.task)).join(", ")}
              {method.findings.length > 0 && `: ${method.findings.map(words).join(", ")}`}
            </span>
            {method.refusal && <span className="warn">{method.refusal}</span>}
            <span className="hint">{method.reference}</span>
          </label>
        ))}
    </fieldset>
  );
}
