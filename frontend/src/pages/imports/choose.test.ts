import { expect, it } from "vitest";
import { bytesOf, meant } from "./choose";

it("leaves out what a computer's housekeeping puts into folders", () => {
  const paths = ["a/1.dcm", "a/.DS_Store", "__MACOSX/a/1.dcm", "Thumbs.db", "thumbs/db.dcm"];
  expect(meant(paths.map((path) => ({ path }))).map(({ path }) => path)).toEqual([
    "a/1.dcm",
    "thumbs/db.dcm",
  ]);
});

it("adds up sizes", () => expect(bytesOf([{ file: { size: 2 } }, { file: { size: 3 } }])).toBe(5));
