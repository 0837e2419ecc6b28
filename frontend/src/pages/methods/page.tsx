import { Link } from "../../router";
import { useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { words } from "../../ui/format";
import { PageHead, Panel } from "../../ui/panel";
import type { Method } from "../contract";
import { byTask, costTexts, needText, plain, sizeText } from "./cards";
import "./methods.css";

/** What there is to learn with: a card each, grouped by what the method mainly serves. */
export default function MethodsPage() {
  const { project } = useHere();
  const methods = useAnswer("methods/", { project: project.id });
  return (
    <main className="page">
      <PageHead title="Methods" about="what can be trained here, and where it comes from">
        <Link href="/runs">Runs</Link>
      </PageHead>
      <Problem error={methods.error} onRetry={methods.reload} />
      {byTask(methods.data ?? []).map(([task, own]) => (
        <Panel key={task} title={words(task)}>
          <ul className="method-cards">
            {own.map((method) => (
              <Card key={method.name} method={method} />
            ))}
          </ul>
        </Panel>
      ))}
    </main>
  );
}

function Card({ method }: { method: Method }) {
  const costs = costTexts(method);
  return (
    <li className="method-card" id={method.name}>
      <h3>
        {method.name}
        <span className="quiet">
          {method.seed_row === null ? "beyond the review" : `row ${method.seed_row} of the review`}
        </span>
      </h3>
      <p className="hint">{method.reference}</p>
      {method.serves.map((served) => (
        <p key={served.task}>
          <strong>{words(served.task)}</strong> <span className="state">{served.fidelity}</span>
          <br />
          <span className="quiet">{plain(served.claim_note)}</span>
        </p>
      ))}
      <dl className="facts">
        <div>
          <dt>Needs</dt>
          <dd>{needText(method)}</dd>
        </div>
        <div>
          <dt>Weights, all stages</dt>
          <dd>{sizeText(method)}</dd>
        </div>
        {costs.length > 0 && (
          <div>
            <dt>Took in this project</dt>
            <dd>
              {costs.map((cost) => (
                <div key={cost}>{cost}</div>
              ))}
            </dd>
          </div>
        )}
      </dl>
    </li>
  );
}
