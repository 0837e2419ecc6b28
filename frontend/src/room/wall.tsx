import { type CSSProperties, useCallback, useMemo, useRef, useState } from "react";
import type { ExamImage } from "../api/types";
import type { Layout } from "../hanging/layouts";
import { marksIn } from "../reading/document";
import type { SessionState } from "../reading/session";
import type { Stage } from "../viewer/stage";
import { ImagePane } from "./pane";
import { mmPerPxOf } from "./spacing";
import type { Heat } from "./use-heat";
import type { Shadings } from "./use-picture";
import type { RoomState } from "./use-room";

type Props = {
  stage: Stage;
  images: readonly ExamImage[];
  layout: Layout;
  state: SessionState;
  room: RoomState;
  isLocked: boolean;
  heat: Heat;
};

/** The images of one hanging, all at one size of the breast: the largest at which each of them is seen whole. */
export function Wall({ stage, images, layout, state, room, isLocked, heat }: Props) {
  const byId = useMemo(() => new Map(images.map((image) => [image.id, image])), [images]);
  const shadings = useRef<Shadings>(new Map()).current;
  const [fits, setFits] = useState<Readonly<Record<string, number>>>({});
  const onFit = useCallback(
    (imageId: string, scale: number) =>
      setFits((old) => (old[imageId] === scale ? old : { ...old, [imageId]: scale })),
    [],
  );
  const cells = layout.rows.flat();
  const hung = cells.flatMap((cell) => byId.get(cell.imageId ?? "") ?? []);
  const allKnown = hung.every((image) => mmPerPxOf(image) !== null);
  const scales = hung.map((image) => fits[image.id]);
  const common = scales.every((scale) => scale !== undefined) ? Math.min(...(scales as number[])) : null;
  const grid: CSSProperties = {
    gridTemplateColumns: `repeat(${Math.max(...layout.rows.map((row) => row.length))}, 1fr)`,
    gridTemplateRows: `repeat(${layout.rows.length}, 1fr)`,
  };
  return (
    <main
      className={room.areMarksHidden ? "wall marks-hidden" : "wall"}
      style={grid}
      aria-label={`Images, ${layout.name}`}
    >
      {cells.map((cell) => {
        const image = byId.get(cell.imageId ?? "");
        if (!image) {
          return (
            <section key={cell.view} className="pane pane-missing" data-testid={`pane-${cell.view}`}>
              {cell.view.replace("-", " ")} is not in this exam
            </section>
          );
        }
        return (
          <ImagePane
            key={image.id}
            stage={stage}
            image={image}
            viewName={cell.view}
            edge={cell.edge}
            isActive={room.active === image.id}
            tool={room.tool}
            marks={marksIn(state.document, image.id)}
            selectedMark={room.selection?.markId ?? null}
            selectedFinding={room.selection?.findingId ?? null}
            isLocked={isLocked}
            shadings={shadings}
            heat={heat.isShown ? (heat.model?.maps.filter((map) => map.image === image.id) ?? null) : null}
            heatOpacity={heat.opacity}
            common={common}
            hanging={layout.name}
            unitPerPx={allKnown ? (mmPerPxOf(image) as number) : 1}
            mmPerPx={mmPerPxOf(image)}
            onFit={onFit}
            onActive={room.setActive}
            onCommands={room.onCommands}
            onDrawn={room.onDrawn}
            onReshaped={room.onReshaped}
            onPointed={room.onPointed}
          />
        );
      })}
    </main>
  );
}
