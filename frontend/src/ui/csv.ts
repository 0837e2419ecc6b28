/** Tables as CSV (RFC 4180), safe to open in a spreadsheet. */

export type Cell = string | number | boolean | null | undefined;

/** Text that a spreadsheet would run as a formula gets an apostrophe; numbers stay numbers. */
function plain(value: Cell): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  return /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A header line and one line a row, each ended by CR LF. */
export function toCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => `${row.map((cell) => quoted(plain(cell))).join(",")}\r\n`).join("");
}
