import { useCallback, useEffect, useRef, useState } from "react";
import type { Address, Answer, Asking } from "../api/addresses";
import { ApiError } from "../api/errors";
import { get, getMore } from "../api/fetch";
import { getAll, type Page, type RowOf } from "../api/lists";
import { loadSession } from "../api/session";

export interface Loaded<T> {
  readonly data: T | undefined;
  readonly error: Error | null;
  readonly reload: () => void;
}

/** Any error as an Error; a lost session also asks for the sign-in page. */
export function settledError(cause: unknown): Error {
  if (cause instanceof ApiError && cause.isSignedOut) loadSession().catch(() => undefined);
  return cause instanceof Error ? cause : new Error(String(cause));
}

/**
 * What `ask` comes to; a key of `null` asks nothing, another key asks anew. With `everySeconds` it is asked again as
 * long as the page is looked at. The last answer stays while a new one is fetched, and when one fails.
 */
function useAsked<T>(
  key: string | null,
  ask: (signal: AbortSignal) => Promise<T>,
  everySeconds: number | null,
): Loaded<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error: Error | null }>({
    key: null,
    error: null,
  });
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  // `turn` is not read: a new turn asks again. `ask` is made at each drawing; the key says all that it asks.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    if (key === null) return;
    const left = new AbortController();
    ask(left.signal)
      .then((data) => left.signal.aborted || setState({ key, data, error: null }))
      .catch((cause) => {
        if (left.signal.aborted) return;
        const error = settledError(cause);
        setState((was) => ({
          key,
          error,
          ...(was.key === key && was.data !== undefined ? { data: was.data } : {}),
        }));
      });
    return () => left.abort();
  }, [key, turn]);
  useEffect(() => {
    if (everySeconds === null || key === null) return;
    const timer = setInterval(() => !document.hidden && reload(), everySeconds * 1000);
    return () => clearInterval(timer);
  }, [everySeconds, key, reload]);
  const current = state.key === key;
  return { data: current ? state.data : undefined, error: current ? state.error : null, reload };
}

const keyOf = (path: string | null, query: unknown) =>
  path === null ? null : `${path} ${JSON.stringify(query)}`;

/** What an address answers; `null` asks nothing. With `everySeconds` it is asked again and again. */
export function useAnswer<A extends Address<"get">>(
  path: A | null,
  query: Asking<"get", A> | null = null,
  everySeconds: number | null = null,
): Loaded<Answer<"get", A>> {
  const ask = (signal: AbortSignal) => get(path as A, query ?? undefined, signal);
  return useAsked(keyOf(path, query), ask, everySeconds);
}

export interface List<T> {
  readonly rows: readonly T[] | undefined;
  readonly error: Error | null;
  readonly more: (() => void) | null;
  readonly reload: () => void;
}

const PAGE_SIZES = ["50", "100", "200"] as const;
const KEPT_SIZE = "mammoloop.page-size";

/** How many rows a list fetches at a time: what the person chose last. */
export function pageSize(): string {
  const kept = localStorage.getItem(KEPT_SIZE);
  return PAGE_SIZES.find((size) => size === kept) ?? "50";
}

/** Every row of a list with cursors: for choices, which must be complete, and for looking up names. */
export function useAll<A extends Address<"get">>(
  path: A | null,
  query: Asking<"get", A> | null = null,
  everySeconds: number | null = null,
): Loaded<readonly RowOf<A>[]> {
  const ask = (signal: AbortSignal) => getAll(path as A, query, signal);
  return useAsked(keyOf(path, query), ask, everySeconds);
}

/** The rows of a list with cursors: the first page (asked again in between), and more on demand. */
export function useList<A extends Address<"get">>(
  path: A | null,
  query: Asking<"get", A> | null = null,
  everySeconds: number | null = null,
): List<RowOf<A>> {
  type T = RowOf<A>;
  const asked = { page_size: pageSize(), ...query } as Asking<"get", A>;
  const first = useAnswer(path, asked, everySeconds);
  const page = first.data as Page<T> | undefined;
  const [rest, setRest] = useState<{ of: string; rows: T[]; next: string | null }>();
  const [failed, setFailed] = useState<Error | null>(null);
  const of = `${path} ${JSON.stringify(query)}`;
  const mine = rest?.of === of ? rest : undefined;
  const next = mine ? mine.next : (page?.next ?? null);
  const more = useCallback(() => {
    if (!next) return;
    getMore<A>(next)
      .then((answer) => {
        const added = answer as unknown as Page<T>; // what `RowOf` says of a list, the compiler cannot follow
        setRest((was) => ({
          of,
          rows: [...(was?.of === of ? was.rows : []), ...added.results],
          next: added.next,
        }));
        setFailed(null);
      })
      .catch((cause) => setFailed(settledError(cause)));
  }, [next, of]);
  const rows = page && [...page.results, ...(mine?.rows ?? [])];
  return { rows, error: first.error ?? failed, more: next ? more : null, reload: first.reload };
}

export interface Deed<A extends unknown[]> {
  readonly run: (...given: A) => Promise<void>;
  readonly busy: boolean;
  readonly error: Error | null;
  readonly clear: () => void;
}

/** Something a person does that asks the server: one at a time, its error kept until the next try. */
export function useDeed<A extends unknown[]>(deed: (...given: A) => Promise<unknown>): Deed<A> {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const current = useRef(deed);
  current.current = deed;
  const under = useRef(false);
  const run = useCallback(async (...given: A) => {
    if (under.current) return;
    under.current = true;
    setBusy(true);
    setError(null);
    try {
      await current.current(...given);
    } catch (cause) {
      setError(settledError(cause));
    } finally {
      under.current = false;
      setBusy(false);
    }
  }, []);
  const clear = useCallback(() => setError(null), []);
  return { run, busy, error, clear };
}
