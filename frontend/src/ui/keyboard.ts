/** Keys as data: a chord is text such as `v`, `shift+a`, `ctrl+z`, `space`, `enter`, `?`. */
export type Chord = string;

/** One thing a key does; `id` names the deed, `label` says it in the key map. */
export type KeyBinding<Deed extends string = string> = {
  deed: Deed;
  chord: Chord;
  label: string;
  group: string;
};

type KeyLike = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">;

const NAMES: Readonly<Record<string, string>> = { " ": "space", esc: "escape", del: "delete" };

/**
 * The chord of a key event. Command on a Mac counts as ctrl. Shift is named for letters and for named keys only: it is
 * part of the sign itself in `?` or `+`.
 */
export function chordOf(event: KeyLike): Chord {
  const raw = event.key.toLowerCase();
  const key = NAMES[raw] ?? raw;
  const isSign = key.length === 1 && key.toUpperCase() === key.toLowerCase();
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push("ctrl");
  if (event.altKey) parts.push("alt");
  if (event.shiftKey && !isSign) parts.push("shift");
  return [...parts, key].join("+");
}

/** The deed that a key event asks for, or null. */
export function deedOf<Deed extends string>(map: readonly KeyBinding<Deed>[], event: KeyLike): Deed | null {
  const chord = chordOf(event);
  return map.find((binding) => binding.chord === chord)?.deed ?? null;
}

/** Two bindings on one chord: the second would never be heard. */
export function clashes(map: readonly KeyBinding[]): Chord[] {
  const seen = new Set<Chord>();
  return map.map((binding) => binding.chord).filter((chord) => seen.has(chord) || !seen.add(chord));
}

/** True when keys belong to a field that a person types into. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLSelectElement) return true;
  return (
    target instanceof HTMLInputElement &&
    !["checkbox", "radio", "button", "submit", "range"].includes(target.type)
  );
}

/** A chord as people write it: `Ctrl Z`, `Shift A`, `Space`. */
export const chordLabel = (chord: Chord): string =>
  chord
    .split("+")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join(" ");
