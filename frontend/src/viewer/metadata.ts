import type { ImageSize } from "../geometry/points";

type DicomJson = Record<string, { vr?: string; Value?: unknown[] }>;

/** Attributes that would give the library a world of its own: position, orientation, spacing. */
const PLANE = [
  "00280030", // Pixel Spacing
  "00181164", // Imager Pixel Spacing
  "00181114", // Estimated Radiographic Magnification Factor
  "00280034", // Pixel Aspect Ratio
  "00200032", // Image Position (Patient)
  "00200037", // Image Orientation (Patient)
  "00200052", // Frame of Reference UID
];

/**
 * The header as the viewer's library gets it: without anything that makes its world other than the pixel grid.
 *
 * One unit of its world is then one pixel of the level with this size, whatever the spacing; millimetres are computed from the exam's own
 * `spacing_mm`, whose source is known. Without a plane the library would invent one, and it swaps unequal spacings.
 */
export function headerForViewer(metadata: Record<string, unknown>, size: ImageSize): DicomJson {
  const header = { ...(metadata as DicomJson) };
  for (const tag of PLANE) delete header[tag];
  delete header["00283010"]; // VOI LUT Sequence: read by `tables.ts`, and the library would apply one by chance
  header["00280010"] = { vr: "US", Value: [size.rows] };
  header["00280011"] = { vr: "US", Value: [size.cols] };
  return header;
}
