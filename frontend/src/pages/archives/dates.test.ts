import { expect, it } from "vitest";
import { dateRange, dicomDay, personName } from "./dates";

it("asks for a range, open at an end that is not given", () => {
  expect(dateRange("2024-01-01", "2024-01-31")).toBe("20240101-20240131");
  expect(dateRange("2024-01-01", "")).toBe("20240101-");
  expect(dateRange("", "2024-01-31")).toBe("-20240131");
  expect(dateRange("2024-01-01", "2024-01-01")).toBe("20240101");
  expect(dateRange("", "")).toBe("");
});

it("shows dates as people read them", () => {
  expect(dicomDay("20240131")).toBe("2024-01-31");
  expect(dicomDay("about 2024")).toBe("about 2024");
});

it.each([
  ["Doe^Jane", "Doe, Jane"],
  ["Doe^Jane^Ann^Dr", "Doe, Jane Ann Dr"],
  ["Yamada^Tarou=山田^太郎", "Yamada, Tarou"],
  ["Doe", "Doe"],
  ["^Jane", "Jane"],
  ["", ""],
])("writes the name %j as %j", (name, shown) => expect(personName(name)).toBe(shown));
