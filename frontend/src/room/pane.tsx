import { type PointerEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { ExamImage } from "../api/types";
import { type Affine, viewTransform } from "../geometry/heat";
import { type DisplayPoint, displayPoint, type ImagePoint } from "../geometry/points";
import type { Shape } from "../geometry/shapes";
import { type Edge, oneToOne, pan, toImage, type View, zoomAt } from "../geometry/view";
import { mirrorOf } from "../hanging/headers";
import type { PlacedMark } from "../reading/document";
import { HeatImages, type HeatMap } from "../ui/heat";
import type { Stage } from "../viewer/stage";
import { dragged } from "../viewer/voi";
import { nextWay } from "../viewer/windows";
import { begun, continued, type Gesture, markAt, type Press, shapeSoFar } from "./gestures";
import type { Tool } from "./keymap";
import { Overlay } from "./overlay";
import { PaneFacts } from "./pane-facts";
import { type Shadings, usePicture } from "./use-picture";

/** What keys ask of the pane under the hand. */
export type PaneCommands = {
  invert(): void;
  oneToOne(): void;
  fit(): void;
  /** Look at it by the next (or the previous) of the file's windows; the name of that one. */
  turnWindow(by: 1 | -1): string | null;
  /** Look at it by the window of this name, if its file has one. */
  pickWindow(name: string): void;
};

type Props = {
  stage: Stage;
  image: ExamImage;
  viewName: string;
  edge: Edge;
  isActive: boolean;
  tool: Tool;
  marks: readonly PlacedMark[];
  selectedMark: string | null;
  selectedFinding: string | null;
  isLocked: boolean;
  shadings: Shadings;
  /** Where a model's score came from in this image; null where nobody asked to see it. */
  heat: readonly HeatMap[] | null;
  heatOpacity: number;
  common: number | null;
  unitPerPx: number;
  hanging: string;
  mmPerPx: number | null;
  onFit: (imageId: string, scale: number) => void;
  onActive: (imageId: string) => void;
  onCommands: (imageId: string, commands: PaneCommands | null) => void;
  onDrawn: (image: ExamImage, shape: Shape, more: boolean) => void;
  onReshaped: (mark: PlacedMark, shape: Shape) => void;
  onPointed: (mark: PlacedMark | null) => void;
};

/** How near the pointer counts as on a line or a handle, and the least stroke that is meant; in display px. */
const REACH = 8;
const SMALLEST = 4;
const POLYGON_STEP = 2;

/** One image with its marks. The pointer's places become image px here, and nothing else is reported. */
export function ImagePane(props: Props) {
  const { image, marks, tool, viewName, onCommands } = props;
  const element = useRef<HTMLDivElement>(null);
  const surface = useRef<HTMLDivElement>(null);
  const { laterality, patient_orientation } = image;
  const mirror = useMemo(
    () => mirrorOf({ laterality, patient_orientation }),
    [laterality, patient_orientation],
  );
  const picture = usePicture(element, { ...props, mirror });
  const { view, shading, ways, setView, setShading } = picture;
  const [gesture, showGesture] = useState<Gesture | null>(null);
  // Several moves may come before the next picture: each builds on the one before, not on what was painted last.
  const hand = useRef<Gesture | null>(null);
  const setGesture = useCallback((next: Gesture | null) => {
    hand.current = next;
    showGesture(next);
  }, []);
  const [pointer, setPointer] = useState<ImagePoint | null>(null);
  const at = useRef<DisplayPoint | null>(null);
  const size = { cols: image.cols, rows: image.rows };

  const fit = picture.fit;
  const seen = useRef(shading);
  seen.current = shading;
  const pickWindow = useCallback(
    (name: string) => {
      const way = ways.find((one) => one.name === name);
      if (way) setShading((old) => ({ ...way, inverted: old.inverted }));
    },
    [ways, setShading],
  );
  useEffect(() => {
    const middle = (pane: View["pane"]): DisplayPoint =>
      at.current ?? displayPoint(pane.width / 2, pane.height / 2);
    onCommands(image.id, {
      invert: () => setShading((old) => ({ ...old, inverted: !old.inverted })),
      oneToOne: () => setView((old) => oneToOne(old, window.devicePixelRatio, middle(old.pane))),
      fit,
      turnWindow: (by) => {
        if (!seen.current || !ways.length) return null;
        const way = nextWay(ways, seen.current, by);
        setShading(() => way);
        return way.name;
      },
      pickWindow,
    });
    return () => onCommands(image.id, null);
  }, [image.id, onCommands, setShading, setView, fit, ways, pickWindow]);

  useEffect(() => {
    const target = surface.current;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
      const on = displayPoint(event.clientX - box.left, event.clientY - box.top);
      setView((old) => zoomAt(old, Math.exp(-Math.sign(event.deltaY) * 0.15), on));
    };
    target?.addEventListener("wheel", onWheel, { passive: false });
    return () => target?.removeEventListener("wheel", onWheel);
  }, [setView]);

  useEffect(() => {
    const onEscape = (event: KeyboardEvent) => event.key === "Escape" && setGesture(null);
    window.addEventListener("keydown", onEscape);
    return () => window.removeEventListener("keydown", onEscape);
  }, [setGesture]);

  const placeOf = (event: PointerEvent<HTMLDivElement>): DisplayPoint => {
    const box = event.currentTarget.getBoundingClientRect();
    return displayPoint(event.clientX - box.left, event.clientY - box.top);
  };

  const pressOf = (event: PointerEvent<HTMLDivElement>, on: DisplayPoint, placed: View): Press => ({
    tool: props.isLocked && !["window", "zoom", "pan"].includes(tool) ? "select" : tool,
    button: event.button,
    at: toImage(on, placed),
    on,
    marks,
    selectedMark: props.isLocked ? null : props.selectedMark,
    reachPx: REACH / placed.scale,
    size,
  });

  function press(event: PointerEvent<HTMLDivElement>) {
    if (!view) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const pressed = pressOf(event, placeOf(event), view);
    const next = begun(pressed);
    if (next.kind === "move" || (pressed.tool === "select" && pressed.button === 0 && next.kind === "pan")) {
      props.onPointed(markAt(pressed));
    }
    setGesture(
      props.isLocked && next.kind === "move" ? { kind: "pan", from: pressed.on, last: pressed.on } : next,
    );
  }

  function move(event: PointerEvent<HTMLDivElement>) {
    const on = placeOf(event);
    at.current = on;
    if (!view) return;
    const here = toImage(on, view);
    setPointer(here);
    const held = hand.current;
    if (!held) return;
    if ("last" in held) steer(held, on);
    setGesture(continued(held, here, on, POLYGON_STEP / view.scale));
  }

  function steer({ kind, from, last }: Extract<Gesture, { last: DisplayPoint }>, on: DisplayPoint) {
    const [dx, dy] = [on[0] - last[0], on[1] - last[1]];
    if (kind === "pan") setView((old) => pan(old, dx, dy));
    if (kind === "zoom") setView((old) => zoomAt(old, Math.exp(-dy / 150), from));
    if (kind === "window") setShading((old) => dragged(old, dx, dy));
  }

  function release(event: PointerEvent<HTMLDivElement>) {
    const done = hand.current;
    setGesture(null);
    if (!done || !view) return;
    const shape = shapeSoFar(done, size, SMALLEST / view.scale);
    if (shape && done.kind === "draw") props.onDrawn(image, shape, event.shiftKey);
    if (shape && (done.kind === "handle" || done.kind === "move")) props.onReshaped(done.mark, shape);
    if (!shape && done.kind === "draw") {
      props.onPointed(markAt({ ...pressOf(event, placeOf(event), view), tool: "select" }));
    }
  }

  const smallest = view ? SMALLEST / view.scale : 1;
  const shape = gesture && shapeSoFar(gesture, size, smallest);
  const changing = shape && gesture && "mark" in gesture ? { markId: gesture.mark.id, shape } : null;
  const drawing = shape && gesture?.kind === "draw" ? shape : null;
  return (
    <section
      className={props.isActive ? "pane pane-active" : "pane"}
      data-testid={`pane-${viewName}`}
      data-image={image.id}
      data-state={picture.error ? "error" : view && shading ? "shown" : "loading"}
      data-resolution={picture.resolution}
      aria-label={viewName.replace("-", " ")}
    >
      <div ref={element} className="pane-picture" />
      <div
        ref={surface}
        role="application"
        aria-label={`${viewName.replace("-", " ")}: draw, select and look with the pointer`}
        className={`pane-surface tool-${tool}`}
        onPointerEnter={() => props.onActive(image.id)}
        onPointerDown={press}
        onPointerMove={move}
        onPointerUp={release}
        onPointerCancel={() => setGesture(null)}
        onPointerLeave={() => {
          at.current = null;
          setPointer(null);
        }}
        onContextMenu={(event) => event.preventDefault()}
      >
        {view && props.heat && (
          <svg className="pane-heat" aria-hidden="true">
            <HeatImages
              maps={props.heat}
              opacity={props.heatOpacity}
              transformOf={(map) => viewTransform(map.affine as Affine, view)}
            />
          </svg>
        )}
        <svg className="pane-marks" aria-hidden="true">
          {view && (
            <Overlay
              marks={marks}
              view={view}
              selectedMark={props.selectedMark}
              selectedFinding={props.selectedFinding}
              changing={changing}
              drawing={drawing}
              mmPerPx={props.mmPerPx}
            />
          )}
        </svg>
      </div>
      <header className={props.edge === "left" ? "pane-name pane-right" : "pane-name"}>
        {viewName.replace("-", " ")}
        {image.presentation === "for_processing" && <small> for processing</small>}
        {(mirror.x || mirror.y) && <small> mirrored for display</small>}
      </header>
      <PaneFacts
        view={view}
        picture={picture}
        pointer={pointer}
        image={image}
        viewName={viewName}
        edge={props.edge}
        onWindow={pickWindow}
      />
      {picture.error && (
        <div className="pane-error" role="alert">
          <p>
            {viewName.replace("-", " ")} could not be shown: {picture.error}.
          </p>
          <button type="button" className="room-button" onClick={picture.retry}>
            Try again
          </button>
        </div>
      )}
    </section>
  );
}
