/** JSON Patch (RFC 6902) in the four operations that a reading knows, on values that are never changed in place. */
export type Operation =
  | { op: "add" | "replace" | "test"; path: string; value: unknown }
  | { op: "remove"; path: string };
export type Patch = readonly Operation[];

/** The patch does not fit the document. */
export class PatchError extends Error {}

type Json = Record<string, unknown> | unknown[];

const isContainer = (value: unknown): value is Json => typeof value === "object" && value !== null;

/** The parts of a JSON pointer (RFC 6901). */
export function pointerParts(path: string): string[] {
  if (path === "") return [];
  return path
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export const pointer = (...parts: readonly string[]): string =>
  parts.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** The value at a pointer; `undefined` where there is none. */
export function valueAt(document: unknown, path: string): unknown {
  let value: unknown = document;
  for (const part of pointerParts(path)) {
    if (!isContainer(value) || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isContainer(a) || !isContainer(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return (
    keys.length === others.length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(a[key as keyof typeof a], b[key as keyof typeof b]))
  );
}

function changed(value: unknown, parts: readonly string[], operation: Operation): unknown {
  const [part, ...rest] = parts;
  if (part === undefined) {
    if (operation.op === "remove") throw new PatchError("the whole document cannot be removed");
    return operation.value;
  }
  if (!isContainer(value) || Array.isArray(value))
    throw new PatchError(`${operation.path} leads into no object`);
  const has = Object.hasOwn(value, part);
  if (rest.length || operation.op !== "add") {
    if (!has) throw new PatchError(`${operation.path} is not there`);
  }
  if (!rest.length && operation.op === "remove") {
    const { [part]: _gone, ...others } = value;
    return others;
  }
  return { ...value, [part]: changed(value[part], rest, operation) };
}

/** The document after the patch. Throws PatchError and changes nothing when an operation does not fit. */
export function applyPatch<T>(document: T, patch: Patch): T {
  let result: unknown = document;
  for (const operation of patch) {
    if (operation.op === "test") {
      if (!isSame(valueAt(result, operation.path), operation.value))
        throw new PatchError(`${operation.path} differs`);
    } else {
      result = changed(result, pointerParts(operation.path), operation);
    }
  }
  return result as T;
}

/** The patch that takes back another one, given the document before it. */
export function inverseOf(document: unknown, patch: Patch): Patch {
  const back: Operation[] = [];
  let before = document;
  for (const operation of patch) {
    if (operation.op === "test") continue;
    const old = valueAt(before, operation.path);
    if (old === undefined) back.unshift({ op: "remove", path: operation.path });
    else if (operation.op === "remove") back.unshift({ op: "add", path: operation.path, value: old });
    else back.unshift({ op: "replace", path: operation.path, value: old });
    before = applyPatch(before, [operation]);
  }
  return back;
}

/** The places where two documents differ, as deep as both still have objects. */
export function differences(a: unknown, b: unknown, at = ""): string[] {
  if (isSame(a, b)) return [];
  if (!isContainer(a) || !isContainer(b) || Array.isArray(a) || Array.isArray(b)) return [at];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => differences(a[key], b[key], at + pointer(key)));
}

/** Whether one place is the other or lies in it. */
export const overlaps = (a: string, b: string): boolean =>
  a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
