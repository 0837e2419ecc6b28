import { memo } from "react";
import { handlesOf } from "../geometry/handles";
import { type DisplayPoint, distance, type ImagePoint, imagePoint } from "../geometry/points";
import { boundsOf, lengthPx, outline, type Shape } from "../geometry/shapes";
import { toDisplay, type View } from "../geometry/view";
import { FINDING_NAMES, type PlacedMark, shapeOf } from "../reading/document";

const SHORT: Readonly<Record<string, string>> = {
  calcification: "calc.",
  architectural_distortion: "distortion",
};

/** `1 · mass · 12 mm`: what a mark is, and its length where the spacing is known. */
export function markLabel(mark: PlacedMark, shape: Shape, mmPerPx: number | null): string {
  const { type } = mark.finding;
  const name = SHORT[type] ?? FINDING_NAMES[type].toLowerCase();
  const length = lengthPx(shape);
  const size = mmPerPx ? `${Math.round(length * mmPerPx)} mm` : `${Math.round(length)} px`;
  return shape.kind === "point" ? `${mark.number} · ${name}` : `${mark.number} · ${name} · ${size}`;
}

const pathOf = (points: readonly ImagePoint[], view: View): string => {
  const at = points.map((point) =>
    toDisplay(point, view)
      .map((value) => value.toFixed(2))
      .join(","),
  );
  return `M${at.join("L")}Z`;
};

type MarkProps = {
  mark: PlacedMark;
  shape: Shape;
  view: View;
  isSelected: boolean;
  hasHandles: boolean;
  mmPerPx: number | null;
};

/** One mark, drawn from the document's numbers through the view: the picture holds no truth of its own. */
const Mark = memo(function Mark({ mark, shape, view, isSelected, hasHandles, mmPerPx }: MarkProps) {
  const isModel = mark.mark.provenance === "model_accepted";
  const [x0, y0, x1, y1] = boundsOf(shape);
  const corners = [toDisplay(imagePoint(x0, y0), view), toDisplay(imagePoint(x1, y1), view)] as const;
  const middle = (corners[0][0] + corners[1][0]) / 2;
  const [top, bottom] = [Math.min(corners[0][1], corners[1][1]), Math.max(corners[0][1], corners[1][1])];
  const labelY = top > 28 ? top - 9 : bottom + 18;
  const d = shape.kind === "point" ? crossAt(imagePoint(x0, y0), view) : pathOf(outline(shape), view);
  const names = ["mark", isSelected && "mark-selected", isModel && "mark-model"].filter(Boolean).join(" ");
  return (
    <g className={names} data-testid="mark" data-mark={mark.id} data-finding={mark.findingId}>
      <path className="mark-halo" d={d} />
      <path className="mark-line" d={d} />
      <text className="mark-label" x={middle} y={labelY} textAnchor="middle">
        {markLabel(mark, shape, mmPerPx)}
      </text>
      {hasHandles && handlesToShow(shape, view).map((at) => <Handle key={at.join()} at={at} />)}
    </g>
  );
});

const HANDLES_APART = 14;

/** The handles to draw, no closer than can be told apart on the screen; all of them can be pulled. */
function handlesToShow(shape: Shape, view: View): DisplayPoint[] {
  const shown: DisplayPoint[] = [];
  for (const handle of handlesOf(shape)) {
    const at = toDisplay(handle, view);
    const last = shown.at(-1);
    if (!last || shape.kind !== "polygon" || distance(last, at) >= HANDLES_APART) shown.push(at);
  }
  return shown;
}

function Handle({ at: [x, y] }: { at: DisplayPoint }) {
  return <rect className="mark-handle" x={x - 3} y={y - 3} width={6} height={6} />;
}

const crossAt = (at: ImagePoint, view: View): string => {
  const [x, y] = toDisplay(at, view);
  return `M${x - 6},${y}H${x + 6}M${x},${y - 6}V${y + 6}`;
};

type OverlayProps = {
  marks: readonly PlacedMark[];
  view: View;
  selectedMark: string | null;
  selectedFinding: string | null;
  /** The mark under the hand and its shape so far. */
  changing: { markId: string; shape: Shape } | null;
  drawing: Shape | null;
  mmPerPx: number | null;
};

export function Overlay({
  marks,
  view,
  selectedMark,
  selectedFinding,
  changing,
  drawing,
  mmPerPx,
}: OverlayProps) {
  return (
    <>
      {marks.map((mark) => (
        <Mark
          key={mark.id}
          mark={mark}
          shape={changing?.markId === mark.id ? changing.shape : shapeOf(mark.mark)}
          view={view}
          isSelected={mark.findingId === selectedFinding}
          hasHandles={mark.id === selectedMark}
          mmPerPx={mmPerPx}
        />
      ))}
      {drawing && (
        <g className="mark mark-selected">
          <path className="mark-halo" d={pathOf(outline(drawing), view)} />
          <path className="mark-line" d={pathOf(outline(drawing), view)} />
        </g>
      )}
    </>
  );
}
