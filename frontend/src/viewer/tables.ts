import type { VoiTable } from "./windows";

type Element = { vr?: string; Value?: unknown[]; InlineBinary?: string };
type Item = Record<string, Element | undefined>;

const SEQUENCE = "00283010"; // VOI LUT Sequence
const DESCRIPTOR = "00283002"; // LUT Descriptor: entries, first value mapped, bits of an entry
const EXPLANATION = "00283003"; // LUT Explanation
const DATA = "00283006"; // LUT Data

/** The VOI LUTs of a header in DICOM JSON. What is damaged is left out. Source: PS3.3 C.11.2.1.1, PS3.18 F. */
export function voiTables(metadata: Record<string, unknown>): VoiTable[] {
  const items = (metadata[SEQUENCE] as Element | undefined)?.Value ?? [];
  return items.flatMap((item) => tableOf(item as Item) ?? []);
}

function tableOf(item: Item): VoiTable | null {
  const [count, first, bits] = numbers(item[DESCRIPTOR]?.Value);
  if (count === undefined || first === undefined || !bits || bits < 8 || bits > 16) return null;
  const entries = count || 2 ** 16; // 0 stands for 65536, which 16 bits cannot say
  const values = valuesOf(item[DATA], entries);
  if (values.length < entries) return null;
  const white = 2 ** bits - 1;
  const greys = values.slice(0, entries).map((value) => Math.min(value / white, 1));
  return { first, greys, explanation: String(item[EXPLANATION]?.Value?.[0] ?? "").trim() };
}

const numbers = (values: unknown[] = []): number[] =>
  values.map(Number).filter((value) => Number.isFinite(value));

/** As numbers (VR US), or as bytes (VR OW): words, low byte first, or one byte each where there are no more. */
function valuesOf(data: Element | undefined, entries: number): number[] {
  if (!data?.InlineBinary) return numbers(data?.Value);
  const bytes = Uint8Array.from(atob(data.InlineBinary), (sign) => sign.charCodeAt(0));
  if (bytes.length < 2 * entries) return [...bytes];
  const view = new DataView(bytes.buffer);
  return Array.from({ length: entries }, (_, i) => view.getUint16(2 * i, true));
}
