import { Lines, type Series, STYLES } from "../../ui/charts/lines";
import { count, words } from "../../ui/format";
import { Panel } from "../../ui/panel";
import type { Curves } from "./curves";

/** Loss on training and validation patients over all stages, up to the last planned step. */
export function LossPlot({ curves, live }: { curves: Curves; live: boolean }) {
  const series: Series[] = [
    { name: "train", points: curves.trainLoss, style: "one" },
    ...(curves.valLoss.length ? [{ name: "validation", points: curves.valLoss, style: "two" as const }] : []),
  ];
  const end = Math.max(curves.planned, curves.step, 1);
  return (
    <Panel title="Loss" aside={<span className="quiet">{stepText(curves)}</span>}>
      {curves.trainLoss.length === 0 ? (
        <p className="quiet">
          {live ? "The first point comes with the first steps." : "This run told no loss."}
        </p>
      ) : (
        <Lines
          title={`Loss against steps; last ${curves.trainLoss.at(-1)?.y.toPrecision(3)}`}
          series={series}
          x={{ label: "step", domain: [0, end], format: count }}
          y={{ label: "loss" }}
          marks={curves.trainLoss.length < 3}
        />
      )}
    </Panel>
  );
}

function stepText(curves: Curves): string {
  return curves.planned ? `step ${count(curves.step)} of ${count(curves.planned)}` : "";
}

/** Figures on validation patients while it trains; without intervals, those come with the model. */
export function ValidationPlot({ curves, live }: { curves: Curves; live: boolean }) {
  const series = curves.validation
    .filter((s) => s.points.length > 0)
    .map(
      (s, i): Series => ({
        name: words(s.name),
        points: s.points,
        style: STYLES[i % STYLES.length] ?? "one",
      }),
    );
  const low = Math.min(0, ...series.flatMap((s) => s.points.map((p) => p.y)));
  return (
    <Panel title="Validation patients, while it trains">
      {series.length === 0 ? (
        <p className="quiet">
          {live ? "No figure yet: it is looked at eight times in a training." : "This run told no figure."}
        </p>
      ) : (
        <Lines
          title="Validation figures against steps"
          series={series}
          x={{ label: "step", domain: [0, Math.max(curves.planned, curves.step, 1)], format: count }}
          y={{ label: "", domain: [low, 1] }}
          marks
        />
      )}
    </Panel>
  );
}
