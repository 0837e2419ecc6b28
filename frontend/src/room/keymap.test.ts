import { expect, test } from "vitest";
import { clashes, deedOf } from "../ui/keyboard";
import { KEYS } from "./keymap";

test("no key does two things", () => {
  expect(clashes(KEYS)).toEqual([]);
});

test("a to d are densities, with shift of the left breast", () => {
  const press = (name: string, shiftKey = false) =>
    deedOf(KEYS, { key: name, shiftKey, ctrlKey: false, metaKey: false, altKey: false });
  for (const density of ["a", "b", "c", "d"]) {
    expect(press(density)).toBe(`density:R:${density}`);
    expect(press(density.toUpperCase(), true)).toBe(`density:L:${density}`);
  }
});
