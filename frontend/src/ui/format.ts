/** Numbers, sizes and times as people read them. Pure: "now" is an argument. */

/** What stands where there is no value. */
export const NONE = "—";

const whole = new Intl.NumberFormat("en-GB");

/** `1,204`; an em dash for nothing. */
export function count(n: number | null | undefined): string {
  return n === null || n === undefined ? NONE : whole.format(n);
}

/** `1 exam`, `12 exams`, `no exams`. */
export function counted(n: number, one: string, many = `${one}s`): string {
  if (n === 0) return `no ${many}`;
  return `${whole.format(n)} ${n === 1 ? one : many}`;
}

/** A figure between -1 and 1 without its leading zero (`.941`), others with as many digits (`3.250`). */
export function figure(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const text = value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1"); // never "-.000"
  return Math.abs(value) < 1 ? text.replace(/^(-?)0\./, "$1.") : text;
}

/** An interval as `.52–.98`, `-.50 to .10` where a sign would be read as the dash; an em dash where there is none. */
export function interval(ci: readonly [number, number] | null | undefined, digits = 2): string {
  return ci ? ci.map((end) => figure(end, digits)).join(ci[0] < 0 || ci[1] < 0 ? " to " : "–") : NONE;
}

/** A learning rate or another number of any size, short: `0.0003`, `3e-7`, `12.5`. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e6)
    ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
}

/** The share done, 0 to 1; null where the whole is not known. */
export function share(done: number, total: number | null | undefined): number | null {
  return total ? Math.min(1, Math.max(0, done / total)) : null;
}

/** `64 %`; an em dash for nothing. */
export function percent(part: number | null | undefined): string {
  return part === null || part === undefined ? NONE : `${Math.round(part * 100)} %`;
}

/** `6.3 MB`, in powers of 1000 as disks are sold. */
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = n < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(n) / 3));
  const value = n / 1000 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

/** A span of time: `8 s`, `6 min`, `1 h 12 min`, `3 days`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 90) return `${Math.round(Math.max(0, seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}

/** `6 min left`; nothing where nobody knows. */
export function timeLeft(seconds: number | null | undefined): string {
  return seconds === null || seconds === undefined ? "" : `${duration(seconds)} left`;
}

/** The seconds between two moments; null where one is missing. */
export function secondsBetween(
  from: string | null | undefined,
  to: string | number | null | undefined,
): number | null {
  if (!from || !to) return null;
  const end = typeof to === "number" ? to : Date.parse(to);
  return (end - Date.parse(from)) / 1000;
}

/** `just now`, `4 min ago`, `3 days ago`, and the date after a month. `now` in milliseconds. */
export function relative(iso: string | null | undefined, now: number): string {
  if (!iso) return NONE;
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return iso;
  const seconds = (now - at) / 1000;
  const text = (n: number, unit: string) => `${counted(n, unit)} ${seconds >= 0 ? "ago" : "from now"}`;
  const size = Math.abs(seconds);
  if (size < 45) return "just now";
  if (size < 90 * 60)
    return seconds >= 0 ? `${Math.round(size / 60)} min ago` : `in ${Math.round(size / 60)} min`;
  if (size < 36 * 3600)
    return seconds >= 0 ? `${Math.round(size / 3600)} h ago` : `in ${Math.round(size / 3600)} h`;
  if (size < 30 * 86400) return text(Math.round(size / 86400), "day");
  return day(iso);
}

/** The whole moment in UTC: `2026-11-23 21:30:49 UTC`. */
export function absolute(iso: string | null | undefined): string {
  if (!iso) return NONE;
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** The day in UTC: `2026-11-23`. */
export function day(iso: string | null | undefined): string {
  return iso ? iso.slice(0, 10) : NONE;
}

/** The time of day in UTC: `21:30:49`. */
export function clockTime(iso: string | null | undefined): string {
  return iso ? iso.slice(11, 19) : NONE;
}

/** The first letters of a hash, enough to tell two apart. */
export function shortHash(hash: string | null | undefined): string {
  return hash ? `${hash.slice(0, 12)}…` : NONE;
}

/** `architectural_distortion` as words. */
export function words(name: string | null | undefined): string {
  return name ? name.replaceAll("_", " ") : NONE;
}
