/** Dates and names as DICOM asks for and answers them. Pure. */

const digits = (day: string) => day.replaceAll("-", "");

/** `20240101-20240131`, open where an end is missing; empty for no dates at all. */
export function dateRange(from: string, to: string): string {
  if (!from && !to) return "";
  return from === to ? digits(from) : `${digits(from)}-${digits(to)}`;
}

/** `2024-01-31` of `20240131`; what is no such date stays as it is. */
export function dicomDay(text: string): string {
  return /^\d{8}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : text;
}

/** `Doe, Jane` of `Doe^Jane^^^=...`: family and given names in their first spelling (PS3.5 6.2.1). */
export function personName(text: string): string {
  const parts = (text.split("=")[0] ?? "").split("^").map((part) => part.trim());
  const [family = "", ...given] = parts;
  return [family, given.filter(Boolean).join(" ")].filter(Boolean).join(", ");
}
