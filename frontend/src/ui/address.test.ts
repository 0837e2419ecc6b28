import { expect, it } from "vitest";
import { changedQuery } from "./address";

it("changes one word of the address and keeps the others", () => {
  const query = new URLSearchParams("split=train&sort=-score");
  expect(changedQuery(query, { split: "val" })).toBe("?split=val&sort=-score");
  expect(changedQuery(query, { split: null })).toBe("?sort=-score");
  expect(changedQuery(query, { split: "", sort: null })).toBe("");
});

it("leaves the query that it was given alone", () => {
  const query = new URLSearchParams("a=1");
  changedQuery(query, { a: "2" });
  expect(query.get("a")).toBe("1");
});
