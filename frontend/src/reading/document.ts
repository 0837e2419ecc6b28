import type { components } from "../api/schema";
import { lengthPx, type Shape } from "../geometry/shapes";

type Schemas = components["schemas"];

/** A reading's document, `mammoloop.reading/1.0`: maps by ids that the page makes, never lists. */
export type ReadingDocument = Schemas["ReadingDocument"];
export type Breast = Schemas["ReadingBreast"];
export type Finding = Schemas["ReadingFinding"];
export type Mark = Schemas["ReadingMark"];
export type Density = NonNullable<Breast["density"]>;
export type Birads = NonNullable<Breast["birads"]>;
export type Side = keyof ReadingDocument["breasts"];
export type FindingType = Finding["type"];
export type Provenance = Mark["provenance"];

export const SIDES: readonly Side[] = ["R", "L"];
export const DENSITIES: readonly Density[] = ["a", "b", "c", "d"];
export const BIRADS: readonly Birads[] = ["0", "1", "2", "3", "4", "4A", "4B", "4C", "5", "6"];
export const FINDING_TYPES: readonly FindingType[] = [
  "mass",
  "calcification",
  "asymmetry",
  "architectural_distortion",
];

export const FINDING_NAMES: Readonly<Record<FindingType, string>> = {
  mass: "Mass",
  calcification: "Calcification",
  asymmetry: "Asymmetry",
  architectural_distortion: "Architectural distortion",
};

export const emptyDocument = (): ReadingDocument => ({
  schema: "mammoloop.reading/1.0",
  breasts: { R: { density: null, birads: null }, L: { density: null, birads: null } },
  findings: {},
  comment: "",
});

export type FindingRow = { id: string; number: number; finding: Finding };
export type PlacedMark = { id: string; findingId: string; number: number; mark: Mark; finding: Finding };

/** Findings in the order that they were made, numbered from 1; equal orders by id, so that every page agrees. */
export const findingRows = (document: ReadingDocument): FindingRow[] =>
  Object.entries(document.findings)
    .sort(([a, x], [b, y]) => x.order - y.order || (a < b ? -1 : 1))
    .map(([id, finding], i) => ({ id, number: i + 1, finding }));

/** The marks in one image. */
export const marksIn = (document: ReadingDocument, imageId: string): PlacedMark[] =>
  findingRows(document).flatMap(({ id, number, finding }) =>
    Object.entries(finding.marks)
      .filter(([, mark]) => mark.image_id === imageId)
      .map(([markId, mark]) => ({ id: markId, findingId: id, number, mark, finding })),
  );

export const nextOrder = (document: ReadingDocument): number =>
  Math.max(0, ...Object.values(document.findings).map((finding) => finding.order)) + 1;

export const shapeOf = ({ kind, geometry }: Mark): Shape => ({ kind, geometry }) as Shape;

export const lengthPxOf = (mark: Mark): number => lengthPx(shapeOf(mark));
