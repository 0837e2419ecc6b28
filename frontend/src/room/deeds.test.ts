import { describe, expect, test } from "vitest";
import type { ExamImage } from "../api/types";
import type { Shape } from "../geometry/shapes";
import { emptyDocument, findingRows } from "../reading/document";
import { setBirads } from "../reading/edits";
import { applyPatch } from "../reading/patch";
import { hintsFor, isEmpty } from "./checks";
import { type Deal, drawnMark, removed, standing, stepped } from "./deeds";

const image = (id: string, laterality: "R" | "L"): ExamImage => ({ id, laterality }) as ExamImage;
const RCC = image("rcc", "R");
const RMLO = image("rmlo", "R");
const LCC = image("lcc", "L");
const circle: Shape = { kind: "circle", geometry: [10, 10, 5] };
const mass = { type: "mass" as const, more: false };
const drawnOn = (images: ExamImage[]) => {
  let document = emptyDocument();
  let deal: Deal = { patch: [], selection: null };
  for (const one of images) {
    deal = drawnMark(document, deal.selection, one, circle, mass);
    document = applyPatch(document, deal.patch);
  }
  return { document, selection: deal.selection };
};
const marksOf = (document: ReturnType<typeof emptyDocument>) =>
  findingRows(document).map(({ finding }) => Object.values(finding.marks).map((mark) => mark.image_id));

describe("a drawn shape", () => {
  test("with no finding selected makes one, of the image's breast", () => {
    const { document } = drawnOn([RCC]);
    expect(findingRows(document)).toMatchObject([{ number: 1, finding: { type: "mass", laterality: "R" } }]);
  });

  test("in another view of the breast is the same finding", () => {
    expect(marksOf(drawnOn([RCC, RMLO]).document)).toEqual([["rcc", "rmlo"]]);
  });

  test("in the other breast, or again in the same view, is another finding", () => {
    expect(marksOf(drawnOn([RCC, LCC]).document)).toEqual([["rcc"], ["lcc"]]);
    expect(marksOf(drawnOn([RCC, RCC]).document)).toEqual([["rcc"], ["rcc"]]);
  });

  test("in the same view is a second mark if asked", () => {
    const { document, selection } = drawnOn([RCC]);
    const deal = drawnMark(document, selection, RCC, circle, { ...mass, more: true });
    expect(marksOf(applyPatch(document, deal.patch))).toEqual([["rcc", "rcc"]]);
  });
});

describe("removing", () => {
  test("takes the selected mark, and the finding with its last mark", () => {
    const { document, selection } = drawnOn([RCC, RMLO]);
    const once = removed(document, selection as NonNullable<typeof selection>);
    const after = applyPatch(document, once.patch);
    expect(marksOf(after)).toEqual([["rcc"]]);
    const twice = removed(after, once.selection as NonNullable<typeof selection>);
    expect(marksOf(applyPatch(after, twice.patch))).toEqual([]);
  });

  test("a selection whose finding is gone selects nothing", () => {
    const { selection } = drawnOn([RCC]);
    expect(standing(emptyDocument(), selection)).toBeNull();
  });
});

test("stepping goes round the findings", () => {
  const { document } = drawnOn([RCC, LCC]);
  const [first, second] = findingRows(document).map((row) => row.id);
  expect(stepped(document, null, 1)?.findingId).toBe(first);
  expect(stepped(document, { findingId: second as string, markId: null }, 1)?.findingId).toBe(first);
  expect(stepped(document, null, -1)?.findingId).toBe(second);
  expect(stepped(emptyDocument(), null, 1)).toBeNull();
});

describe("before you finish", () => {
  const images = [RCC, RMLO, LCC];

  test("what is missing is named by breast", () => {
    expect(hintsFor(emptyDocument(), images)).toContain("The left breast has no density and no BI-RADS yet.");
  });

  test("a finding in one view, and one in a breast that was called negative", () => {
    const { document } = drawnOn([RCC]);
    const said = applyPatch(document, setBirads(document, "R", "1"));
    expect(hintsFor(said, images)).toEqual(
      expect.arrayContaining([
        "Mass 1 is seen in one view only. Asymmetry?",
        "BI-RADS 1 says that nothing is in the right breast, and Mass 1 is there.",
      ]),
    );
  });

  test("an exam with nothing said is empty", () => {
    expect(isEmpty(emptyDocument())).toBe(true);
    expect(isEmpty(drawnOn([RCC]).document)).toBe(false);
  });
});
