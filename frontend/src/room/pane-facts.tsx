import type { ExamImage } from "../api/types";
import type { ImagePoint } from "../geometry/points";
import type { Edge, View } from "../geometry/view";
import type { PictureState, Resolution } from "./use-picture";

type Props = {
  view: View | null;
  picture: PictureState;
  pointer: ImagePoint | null;
  image: ExamImage;
  viewName: string;
  edge: Edge;
  onWindow: (name: string) => void;
};

/** Where millimetres come from, for a length is no better than that. */
function spacingNote({ spacing_mm, spacing_source }: ExamImage): string {
  if (!spacing_mm) return "spacing unknown: lengths in px";
  if (spacing_source === "imager") return "mm from detector spacing";
  return spacing_source === "pixel" ? "mm from pixel spacing" : `mm: ${spacing_source || "from the file"}`;
}

/** What is not seen of an image that is shown, said on the image. */
const MISSING: Readonly<Record<Resolution, string | null>> = {
  full: null,
  coming: "full resolution is coming",
  failed: "full resolution did not arrive",
  reduced: "reduced",
};

function missingNote(resolution: Resolution, { rows, cols, display }: ExamImage): string | null {
  if (resolution !== "reduced") return MISSING[resolution];
  return `shown at 1/${display.factor}: ${cols} x ${rows} is more than this computer's graphics can hold`;
}

/** Magnification, window, the source of millimetres and the image pixel under the pointer. */
export function PaneFacts({ view, picture, pointer, image, viewName, edge, onWindow }: Props) {
  const { shading, resolution } = picture;
  if (!view || !shading) return null;
  const ratio = view.scale * window.devicePixelRatio;
  const zoom = ratio >= 1 ? `${ratio.toFixed(1)}:1` : `1:${(1 / ratio).toFixed(1)}`;
  const missing = missingNote(resolution, image);
  return (
    <footer className={edge === "left" ? "pane-facts pane-right" : "pane-facts"}>
      {pointer && (
        <span data-testid={`pointer-${viewName}`}>
          x {pointer[0].toFixed(1)} y {pointer[1].toFixed(1)}
        </span>
      )}
      {missing && (
        <span className={resolution === "coming" ? undefined : "pane-missing-note"}>
          {missing}
          {resolution === "failed" && (
            <button type="button" className="room-button" onClick={picture.retry}>
              Try again
            </button>
          )}
        </span>
      )}
      <WindowPicker picture={picture} viewName={viewName} onWindow={onWindow} />
      <span>
        {zoom.replace(".0", "")} · W {Math.round(shading.width)} C {Math.round(shading.center)}
        {shading.inverted && " · inverted"}
      </span>
      <span>{spacingNote(image)}</span>
    </footer>
  );
}

const BY_HAND = "set by hand";

type PickerProps = Pick<Props, "picture" | "viewName" | "onWindow">;

/** The windows of the file by name. Gives the keys back to the room once one is chosen. */
function WindowPicker({ picture: { ways, shading }, viewName, onWindow }: PickerProps) {
  if (ways.length < 2 || !shading) return null;
  const name = shading.name ?? BY_HAND;
  return (
    <select
      className="pane-window"
      aria-label={`Window of ${viewName.replace("-", " ")}`}
      title="Windows of the file (G)"
      data-testid={`window-${viewName}`}
      value={name}
      onChange={(event) => {
        onWindow(event.target.value);
        event.target.blur();
      }}
    >
      {!shading.name && <option disabled>{BY_HAND}</option>}
      {ways.map((way) => (
        <option key={way.name}>{way.name}</option>
      ))}
    </select>
  );
}
