/**
 * Names of the files that this tab has sent, by the number that the server gave each.
 *
 * A file name may name a person, so the server keeps none. The tab that sent the files can still say which was
 * rejected; it forgets when it is closed.
 */

const keyOf = (ingest: string) => `mammoloop.sent.${ingest}`;

/** Keep which number was which file. */
export function keepNames(ingest: string, names: ReadonlyMap<number, string>): void {
  try {
    sessionStorage.setItem(keyOf(ingest), JSON.stringify([...names]));
  } catch {
    // Too many names for the tab's store: the numbers still say which.
  }
}

/** The names by number; empty in another tab. */
export function sentNames(ingest: string): ReadonlyMap<number, string> {
  return new Map(JSON.parse(sessionStorage.getItem(keyOf(ingest)) ?? "[]") as [number, string][]);
}
