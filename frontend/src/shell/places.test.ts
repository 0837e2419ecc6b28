import { expect, it } from "vitest";
import { closedTo, liesIn, placesFor, placesOfPerson } from "./places";

const names = (role: Parameters<typeof placesFor>[0]) => placesFor(role).map((place) => place.name);

it("shows a reader what there is to read, and nothing of models: readers read blind", () => {
  expect(names("reader")).toEqual(["Home", "Worklist", "Exams"]);
});

it("shows a researcher what was frozen and learned", () => {
  expect(names("researcher")).toEqual(["Home", "Exams", "Snapshots", "Runs", "Models"]);
});

it("shows an administrator the whole loop, and a stranger nothing", () => {
  expect(names("admin")).toContain("Rounds");
  expect(names(null)).toEqual([]);
});

it("keeps archives for those who look after the site", () => {
  expect(placesOfPerson("admin", false).map((p) => p.name)).not.toContain("Archives");
  expect(placesOfPerson("admin", true).map((p) => p.name)).toContain("Archives");
});

it("closes a list to who may not see it; what lies below answers for itself, as it may be another project's", () => {
  expect(closedTo("/snapshots", "reader")?.name).toBe("Snapshots");
  expect(closedTo("/audit", "researcher")?.name).toBe("Audit");
  expect(closedTo("/snapshots", "researcher")).toBeNull();
  expect(closedTo("/read", "researcher")?.name).toBe("Reading");
  expect(closedTo("/read", "adjudicator")).toBeNull();
  expect(closedTo("/runs/7", "reader")).toBeNull();
  expect(closedTo("/", "reader")).toBeNull();
});

it("finds the place that a page lies in", () => {
  expect(liesIn("/runs/7", "/runs")).toBe(true);
  expect(liesIn("/runsx", "/runs")).toBe(false);
  expect(liesIn("/runs", "/")).toBe(false);
});
