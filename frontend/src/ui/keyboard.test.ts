import { describe, expect, test } from "vitest";
import { chordLabel, chordOf, clashes, deedOf, type KeyBinding } from "./keyboard";

const key = (
  name: string,
  held: Partial<Record<"ctrlKey" | "metaKey" | "shiftKey" | "altKey", boolean>> = {},
) => ({
  key: name,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...held,
});
const map: KeyBinding<"undo" | "help" | "left-a">[] = [
  { deed: "undo", chord: "ctrl+z", label: "undo", group: "edit" },
  { deed: "help", chord: "?", label: "keys", group: "page" },
  { deed: "left-a", chord: "shift+a", label: "left density a", group: "density" },
];

describe("keys", () => {
  test("command on a Mac is ctrl elsewhere", () => {
    expect(deedOf(map, key("z", { metaKey: true }))).toBe("undo");
    expect(deedOf(map, key("z", { ctrlKey: true }))).toBe("undo");
  });

  test("shift counts for a letter and not for a sign that needs it", () => {
    expect(deedOf(map, key("A", { shiftKey: true }))).toBe("left-a");
    expect(deedOf(map, key("?", { shiftKey: true }))).toBe("help");
    expect(deedOf(map, key("a"))).toBeNull();
  });

  test("the space bar has a name", () => {
    expect(chordOf(key(" "))).toBe("space");
    expect(chordLabel("ctrl+z")).toBe("Ctrl Z");
  });

  test("two deeds on one key are found", () => {
    expect(clashes(map)).toEqual([]);
    expect(clashes([...map, { deed: "help", chord: "ctrl+z", label: "", group: "" }])).toEqual(["ctrl+z"]);
  });
});
