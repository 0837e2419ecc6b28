import { afterEach, expect, it, vi } from "vitest";
import { getAll } from "./lists";

afterEach(() => vi.unstubAllGlobals());

/** A server with so many models, which gives at most 200 at a time and counts how often it is asked. */
function serverOf(models: number): URL[] {
  const asked: URL[] = [];
  vi.stubGlobal("document", { cookie: "" });
  vi.stubGlobal("fetch", async (address: string) => {
    const url = new URL(address, "http://server");
    asked.push(url);
    const size = Math.min(200, Number(url.searchParams.get("page_size") ?? 50));
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const results = Array.from({ length: Math.min(size, models - from) }, (_, i) => ({ number: from + i }));
    url.searchParams.set("cursor", String(from + size));
    return Response.json({ next: from + size < models ? url.href : null, previous: null, results });
  });
  return asked;
}

it("a list of a thousand is whole, in order, after five questions", async () => {
  const asked = serverOf(1000);
  const rows = await getAll("models/", { project: "p", state: "promoted" });
  expect(rows.map((row) => row.number)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect(asked).toHaveLength(5);
  expect(asked.every((url) => url.searchParams.get("state") === "promoted")).toBe(true);
});

it("an empty list is one question", async () => {
  const asked = serverOf(0);
  expect(await getAll("models/", { project: "p" })).toEqual([]);
  expect(asked).toHaveLength(1);
});
