import { HEAT_WARNING, type HeatMap, HeatScale, kindOfHeat } from "../ui/heat";
import { chordLabel } from "../ui/keyboard";
import { NearExams } from "../ui/near";
import { chordFor } from "./keymap";
import type { Heat } from "./use-heat";
import "./heat.css";

/** The toggle of the heat map with its words, and the labelled exams that the model finds alike. */
export function HeatPanel({ heat }: { heat: Heat }) {
  const { model } = heat;
  if (!model) return null;
  return (
    <section className="heat-panel" aria-label="Heat map">
      <h2>What the model looked at</h2>
      <p className="room-quiet">Administrators only: readers read blind.</p>
      {heat.models.length > 1 && (
        <select
          aria-label="Model"
          value={model.version}
          onChange={(event) => heat.choose(event.target.value)}
        >
          {heat.models.map((one) => (
            <option key={one.version} value={one.version}>
              {one.name}
            </option>
          ))}
        </select>
      )}
      {heat.models.length === 1 && <p>{model.name}</p>}
      {model.maps.length > 0 ? (
        <Drawn heat={heat} maps={model.maps} />
      ) : (
        <p className="room-quiet">It drew no heat map of this exam.</p>
      )}
      {heat.near && (
        <>
          <h2>Nearest labelled exams</h2>
          <NearExams rows={heat.near.slice(0, 4)} />
        </>
      )}
    </section>
  );
}

function Drawn({ heat, maps }: { heat: Heat; maps: readonly HeatMap[] }) {
  const map = maps[0];
  const score = map?.score ?? null;
  const isEmpty = maps.every((one) => one.empty);
  return (
    <>
      <p>
        {map?.target.replaceAll("_", " ")} {map?.label.replaceAll("_", " ")}
        {score !== null && ` ${score.toFixed(2)}`}
        <span className="room-quiet"> · {map && kindOfHeat(map)}</span>
      </p>
      <div className="heat-keys">
        <button
          type="button"
          className="tool"
          data-testid="heat-toggle"
          aria-pressed={heat.isShown}
          disabled={isEmpty}
          onClick={heat.toggle}
        >
          heat map <kbd>{chordLabel(chordFor("heat"))}</kbd>
        </button>
        <label>
          opacity{" "}
          <input
            type="range"
            min={0.1}
            max={1}
            step={0.05}
            value={heat.opacity}
            disabled={!heat.isShown}
            onChange={(event) => heat.setOpacity(Number(event.target.value))}
          />
        </label>
      </div>
      {isEmpty ? (
        <p className="heat-empty">Nothing in these images spoke for the score: the map is all zero.</p>
      ) : (
        <HeatScale />
      )}
      <p className="heat-warning">{HEAT_WARNING}</p>
    </>
  );
}
