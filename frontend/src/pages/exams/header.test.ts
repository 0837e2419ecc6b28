import { expect, it } from "vitest";
import { headerRows, matching } from "./header";

const header = {
  "00100010": { vr: "PN", Value: [{ Alphabetic: "P-17" }] },
  "00080060": { vr: "CS", Value: ["MG"] },
  "00540220": { vr: "SQ", Value: [{ "00080104": { vr: "LO", Value: ["cranio-caudal"] } }] },
  "00280030": { vr: "DS", Value: [0.07, 0.07] },
  "00181400": { vr: "LO" },
};

it("lists elements in order, sequences with their items below them", () => {
  const rows = headerRows(header);
  expect(rows.map((row) => [row.tag, row.value, row.depth])).toEqual([
    ["(0008,0060)", "MG", 0],
    ["(0010,0010)", "P-17", 0],
    ["(0018,1400)", "", 0],
    ["(0028,0030)", "0.07 \\ 0.07", 0],
    ["(0054,0220)", "1 item", 0],
    ["(0008,0104)", "cranio-caudal", 1],
  ]);
  expect(rows[0]?.name).toBe("Modality");
});

it("finds elements by tag, name or value", () => {
  const rows = headerRows(header);
  expect(matching(rows, "modal").map((row) => row.value)).toEqual(["MG"]);
  expect(matching(rows, "0028").length).toBe(1);
  expect(matching(rows, " ").length).toBe(rows.length);
});
