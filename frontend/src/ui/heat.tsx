import { useId } from "react";
import type { components } from "../api/schema";
import "./heat.css";

export type HeatMap = components["schemas"]["ExplanationOut"];

/** What every map stands under. */
export const HEAT_WARNING = "Shows where the score came from, not where the disease is.";

const KINDS: Readonly<Record<string, string>> = {
  own: "the method's own map",
  grad_cam: "Grad-CAM",
  occlusion: "what the score loses where squares are covered",
};

export const kindOfHeat = (map: HeatMap): string => KINDS[map.kind] ?? map.kind;

/** Grey becomes a colour from blue over orange to pale yellow, and what is 0 becomes clear. */
function Ramp({ id }: { id: string }) {
  return (
    <filter id={id} colorInterpolationFilters="sRGB" x="0" y="0" width="1" height="1">
      <feColorMatrix type="matrix" values="1 0 0 0 0  1 0 0 0 0  1 0 0 0 0  1 0 0 0 0" />
      <feComponentTransfer>
        <feFuncR type="table" tableValues="0.1 0.45 0.95 1 1" />
        <feFuncG type="table" tableValues="0.2 0.2 0.4 0.7 0.95" />
        <feFuncB type="table" tableValues="0.7 0.6 0.2 0.15 0.6" />
        <feFuncA type="table" tableValues="0 0.45 0.7 0.85 0.95" />
      </feComponentTransfer>
    </filter>
  );
}

/** Maps as SVG images, each put in its place by `transformOf`. */
export function HeatImages({
  maps,
  opacity,
  transformOf,
}: {
  maps: readonly HeatMap[];
  opacity: number;
  transformOf: (map: HeatMap) => string;
}) {
  const ramp = useId();
  return (
    <g opacity={opacity} data-testid="heat">
      <Ramp id={ramp} />
      {maps
        .filter((map) => !map.empty)
        .map((map) => (
          <image
            key={map.id}
            href={map.picture_url}
            width={map.cols}
            height={map.rows}
            preserveAspectRatio="none"
            transform={transformOf(map)}
            filter={`url(#${ramp})`}
          />
        ))}
    </g>
  );
}

/** The colours from little to much, in words as well. */
export function HeatScale() {
  return (
    <span className="heat-scale">
      little <span className="heat-ramp" /> much
    </span>
  );
}
