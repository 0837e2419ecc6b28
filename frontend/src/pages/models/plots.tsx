import { Confusion } from "../../ui/charts/confusion";
import { FigureBars } from "../../ui/charts/figure-bars";
import { Lines } from "../../ui/charts/lines";
import { useChosen } from "../../ui/chosen";
import { SelectField } from "../../ui/field";
import { words } from "../../ui/format";
import { Panel } from "../../ui/panel";
import type { ModelDetail } from "../contract";
import { barPlots } from "./bars";
import { confusionOf, cut, frocSeries, reliabilitySeries, rocKeys, rocSeries, targetsOf } from "./curves";

/** The curves of the report, whichever it has. */
export function ModelPlots({ model, split }: { model: ModelDetail; split: string }) {
  const { curves } = model;
  const reliability = reliabilitySeries(curves, split);
  const confusion = confusionOf(curves, split);
  return (
    <>
      <Froc model={model} split={split} />
      <div className="columns">
        {confusion && (
          <Panel title="Called and read">
            <Confusion labels={confusion.labels} matrix={confusion.matrix} />
          </Panel>
        )}
        <Roc curves={curves} split={split} />
        {reliability.length > 0 && (
          <Panel title="Reliability: how sure against how often right">
            <Lines
              title="Reliability"
              series={reliability}
              diagonal
              marks
              x={{ label: "how sure", domain: [0, 1] }}
              y={{ label: "how often right", domain: [0, 1] }}
              width={420}
              height={300}
            />
          </Panel>
        )}
        {barPlots(model.metrics, split).map(({ title, rows }) => (
          <Panel key={title} title={title}>
            <FigureBars title={title} rows={rows} />
          </Panel>
        ))}
      </div>
    </>
  );
}

function Roc({ curves, split }: { curves: ModelDetail["curves"]; split: string }) {
  const keys = rocKeys(curves, split);
  const [key, choose] = useChosen(keys);
  if (key === undefined) return null;
  return (
    <Panel title="ROC">
      {keys.length > 1 && (
        <SelectField
          label="Of"
          value={key}
          onChange={choose}
          options={keys.map((one) => ({ value: one, label: one }))}
        />
      )}
      <Lines
        title={`ROC of ${key}`}
        series={rocSeries(curves, split, key)}
        diagonal
        x={{ label: "false positive rate", domain: [0, 1] }}
        y={{ label: "sensitivity", domain: [0, 1] }}
        width={420}
        height={300}
      />
    </Panel>
  );
}

const MOST_RATE = 4;
const RATES = [0.25, 0.5, 1, 2, 4];

function Froc({ model, split }: { model: ModelDetail; split: string }) {
  const targets = targetsOf(model.curves, split);
  const [target, choose] = useChosen(targets);
  if (target === undefined) return null;
  const series = frocSeries(model.curves, model.metrics, split, target).map((s) => ({
    ...s,
    points: cut(s.points, MOST_RATE),
  }));
  return (
    <Panel title="FROC: sensitivity against false positives an image">
      <SelectField
        label="Finding"
        value={target}
        onChange={choose}
        options={targets.map((t) => ({ value: t, label: t === "any" ? "any finding" : words(t) }))}
      />
      <Lines
        title={`FROC of ${words(target)}`}
        series={series}
        x={{ label: "false positives an image", domain: [0, MOST_RATE], ticks: RATES }}
        y={{ label: "sensitivity", domain: [0, 1] }}
      />
    </Panel>
  );
}
