/** Lists with cursors: what a page of one is, and all of its pages. */

import type { Address, Answer, Asking } from "./addresses";
import { get, getMore } from "./fetch";

/** What a list with cursors answers. */
export interface Page<T> {
  readonly next: string | null;
  readonly results: readonly T[];
}
export type RowOf<A extends string> = Answer<"get", A> extends Page<infer T> ? T : never;

/** The most rows that the server gives at a time. */
const LARGEST_PAGE = 200;

/** Every row of a list, page after page; throws what `get` throws. */
export async function getAll<A extends Address<"get">>(
  path: A,
  query: Asking<"get", A> | null = null,
  signal?: AbortSignal,
): Promise<readonly RowOf<A>[]> {
  type T = RowOf<A>;
  // What `RowOf` says of a list, the compiler cannot follow.
  let page = (await get(path, { ...query, page_size: LARGEST_PAGE } as Asking<"get", A>, signal)) as Page<T>;
  const rows = [...page.results];
  while (page.next) {
    page = (await getMore<A>(page.next, signal)) as Page<T>;
    rows.push(...page.results);
  }
  return rows;
}
