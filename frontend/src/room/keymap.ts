import type { DrawnKind } from "../geometry/shapes";
import type { Density, FindingType, Side } from "../reading/document";
import type { KeyBinding } from "../ui/keyboard";

export type Tool = "select" | DrawnKind | "window" | "zoom" | "pan";

/** Everything that a key of the room can do. */
export type Deed =
  | `tool:${Tool}`
  | `density:${Side}:${Density}`
  | `type:${FindingType}`
  | "invert"
  | "window-next"
  | "window-next-all"
  | "one-to-one"
  | "fit"
  | "hang-next"
  | "hang-previous"
  | "undo"
  | "redo"
  | "remove"
  | "deselect"
  | "next-finding"
  | "previous-finding"
  | "normal"
  | "complete"
  | "marks"
  | "heat"
  | "panel"
  | "help";

const key = (deed: Deed, chord: string, label: string, group: string): KeyBinding<Deed> => ({
  deed,
  chord,
  label,
  group,
});

/** The keys of the room, as data: what `?` shows is this list. No tool uses a-d: they are densities. */
export const KEYS: readonly KeyBinding<Deed>[] = [
  key("tool:select", "v", "select", "Marks"),
  key("tool:box", "r", "box", "Marks"),
  key("tool:ellipse", "e", "ellipse", "Marks"),
  key("tool:circle", "o", "circle", "Marks"),
  key("tool:polygon", "p", "polygon", "Marks"),
  key("remove", "delete", "remove the selected mark or finding", "Marks"),
  key("remove", "backspace", "remove the selected mark or finding", "Marks"),
  key("marks", "m", "hide or show marks", "Marks"),
  key("undo", "ctrl+z", "undo", "Marks"),
  key("redo", "ctrl+y", "redo", "Marks"),
  key("redo", "ctrl+shift+z", "redo", "Marks"),
  key("type:mass", "1", "mass", "Findings"),
  key("type:calcification", "2", "calc.", "Findings"),
  key("type:asymmetry", "3", "asym.", "Findings"),
  key("type:architectural_distortion", "4", "distort.", "Findings"),
  key("next-finding", "j", "next finding", "Findings"),
  key("previous-finding", "k", "previous finding", "Findings"),
  key("deselect", "escape", "select nothing, give up a stroke", "Findings"),
  key("tool:window", "w", "window", "Picture"),
  key("window-next", "g", "next window of the file", "Picture"),
  key("window-next-all", "shift+g", "next window, all images", "Picture"),
  key("tool:zoom", "z", "zoom", "Picture"),
  key("tool:pan", "h", "pan", "Picture"),
  key("invert", "i", "invert", "Picture"),
  key("one-to-one", "x", "1:1", "Picture"),
  key("fit", "f", "fit", "Picture"),
  key("heat", "y", "heat map, for administrators after the reading", "Picture"),
  key("hang-next", "space", "next hanging", "Picture"),
  key("hang-previous", "shift+space", "previous hanging", "Picture"),
  key("density:R:a", "a", "density a, right", "Density"),
  key("density:R:b", "b", "density b, right", "Density"),
  key("density:R:c", "c", "density c, right", "Density"),
  key("density:R:d", "d", "density d, right", "Density"),
  key("density:L:a", "shift+a", "density a, left", "Density"),
  key("density:L:b", "shift+b", "density b, left", "Density"),
  key("density:L:c", "shift+c", "density c, left", "Density"),
  key("density:L:d", "shift+d", "density d, left", "Density"),
  key("normal", "n", "normal, both breasts", "Exam"),
  key("complete", "enter", "complete and next", "Exam"),
  key("panel", "t", "fold or open the panel", "Exam"),
  key("help", "?", "this list", "Exam"),
];

/** The first chord of a deed, for buttons and tooltips. */
export const chordFor = (deed: Deed): string => KEYS.find((binding) => binding.deed === deed)?.chord ?? "";
