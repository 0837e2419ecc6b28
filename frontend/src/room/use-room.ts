import { useCallback, useEffect, useRef, useState } from "react";
import type { ExamImage } from "../api/types";
import type { Shape } from "../geometry/shapes";
import type { Layout } from "../hanging/layouts";
import type { Density, FindingType, PlacedMark, Side } from "../reading/document";
import { setDensity, setNormal } from "../reading/edits";
import type { Patch } from "../reading/patch";
import type { ReadingSession, SessionState } from "../reading/session";
import { deedOf, isTyping } from "../ui/keyboard";
import { drawnMark, removed, reshaped, type Selection, standing, stepped, typed } from "./deeds";
import { type Deed, KEYS, type Tool } from "./keymap";
import type { PaneCommands } from "./pane";

type Props = {
  session: ReadingSession;
  state: SessionState;
  layouts: readonly Layout[];
  isLocked: boolean;
  onComplete: () => void;
  onHeat: () => void;
};

export type RoomState = ReturnType<typeof useRoom>;
type DialogName = "keys" | "skip" | "flag" | null;

/** What the hands of the reader do: the tool they hold, what they selected, what a key means now. */
export function useRoom({ session, state, layouts, isLocked, onComplete, onHeat }: Props) {
  const [tool, setTool] = useState<Tool>("select");
  const [chosen, select] = useState<Selection | null>(null);
  const [nextType, setNextType] = useState<FindingType>("mass");
  const [layout, hang] = useState(0);
  const [active, setActive] = useState<string | null>(null);
  const [areMarksHidden, hideMarks] = useState(false);
  const [isPanelFolded, foldPanel] = useState(false);
  const [dialog, show] = useState<DialogName>(null);
  const panes = useRef(new Map<string, PaneCommands>());
  const selection = standing(state.document, chosen);

  const edit = useCallback((patch: Patch) => !isLocked && session.edit(patch), [session, isLocked]);

  const onCommands = useCallback((imageId: string, commands: PaneCommands | null) => {
    if (commands) panes.current.set(imageId, commands);
    else panes.current.delete(imageId);
  }, []);
  const underHand = (): PaneCommands | undefined =>
    panes.current.get(active ?? "") ?? [...panes.current.values()][0];

  const onDrawn = (image: ExamImage, shape: Shape, more: boolean) => {
    const deal = drawnMark(session.document, selection, image, shape, { type: nextType, more });
    edit(deal.patch);
    select(deal.selection);
  };
  const onReshaped = (mark: PlacedMark, shape: Shape) => edit(reshaped(session.document, mark, shape));
  const onPointed = useCallback(
    (mark: PlacedMark | null) => select(mark && { findingId: mark.findingId, markId: mark.id }),
    [],
  );

  const turnHanging = (by: 1 | -1) => hang((n) => (n + by + layouts.length) % Math.max(layouts.length, 1));

  function act(deed: Deed): void {
    const [kind, ...rest] = deed.split(":");
    if (kind === "tool") setTool(rest[0] as Tool);
    else if (kind === "density") edit(setDensity(session.document, rest[0] as Side, rest[1] as Density));
    else if (kind === "type") chooseType(rest[0] as FindingType);
    else plainDeeds[deed as keyof typeof plainDeeds]();
  }

  const plainDeeds = {
    "hang-next": () => turnHanging(1),
    "hang-previous": () => turnHanging(-1),
    invert: () => underHand()?.invert(),
    "window-next": () => void underHand()?.turnWindow(1),
    "window-next-all": () => {
      const name = underHand()?.turnWindow(1);
      for (const pane of panes.current.values()) if (name) pane.pickWindow(name);
    },
    "one-to-one": () => underHand()?.oneToOne(),
    fit: () => {
      for (const pane of panes.current.values()) pane.fit();
    },
    undo: () => !isLocked && session.undo(),
    redo: () => !isLocked && session.redo(),
    remove: () => {
      if (!selection || isLocked) return;
      const deal = removed(session.document, selection);
      edit(deal.patch);
      select(deal.selection);
    },
    deselect: () => select(null),
    "next-finding": () => select(stepped(session.document, selection, 1)),
    "previous-finding": () => select(stepped(session.document, selection, -1)),
    normal: () => edit(setNormal(session.document)),
    complete: onComplete,
    heat: onHeat,
    marks: () => hideMarks((hidden) => !hidden),
    panel: () => foldPanel((folded) => !folded),
    help: () => show((open) => (open ? null : "keys")),
  };

  function chooseType(type: FindingType): void {
    setNextType(type);
    if (selection) edit(typed(session.document, selection, type));
  }

  useKeys(act, dialog === null);

  return {
    tool,
    selection,
    nextType,
    layout,
    active,
    areMarksHidden,
    isPanelFolded,
    dialog,
    edit,
    select,
    hang,
    setActive,
    show,
    act,
    onCommands,
    onDrawn,
    onReshaped,
    onPointed,
  };
}

/** A button or link that was reached by keyboard takes Enter and space itself; one that was clicked does not. */
const takesKey = (event: KeyboardEvent): boolean =>
  ["Enter", " "].includes(event.key) &&
  event.target instanceof Element &&
  event.target.matches("button:focus-visible, a:focus-visible");

/** Keys go to the room unless somebody types, a dialog is open, or a button has the focus and the key presses it. */
function useKeys(act: (deed: Deed) => void, isListening: boolean): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    if (!isListening) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || isTyping(event.target) || takesKey(event)) return;
      if (document.querySelector("dialog[open]")) return;
      const deed = deedOf(KEYS, event);
      if (!deed || (event.repeat && deed !== "undo" && deed !== "redo")) return;
      event.preventDefault();
      latest.current(deed);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [isListening]);
}
