import type { Address, Answer, Asking, Body, Method } from "./addresses";
import { errorOf, NetworkError } from "./errors";

const API = "/api/v1/";

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

interface Options {
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** What an address came back with; `data` is null where the answer has no JSON. */
export type Reply<T> = { data: T; etag: string | null; status: number };

function addressOf(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const address = /^(https?:)?\//.test(path) ? path : API + path;
  if (!pairs.length) return address;
  const search = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]));
  return `${address}${address.includes("?") ? "&" : "?"}${search}`;
}

/** An address of the API as the browser calls it, with the query's empty values left out. */
export const apiAddress = <A extends Address<"get"> | Address<"put"> | Address<"post">>(
  path: A,
  query?: Asking<"get", A> | Asking<"put", A> | Asking<"post", A>,
): string => addressOf(path, query as Query);

function cookie(name: string): string | null {
  for (const pair of document.cookie.split("; ")) {
    if (pair.startsWith(`${name}=`)) return decodeURIComponent(pair.slice(name.length + 1));
  }
  return null;
}

function headersOf(method: Method, options: Options): Headers {
  const headers = new Headers({ Accept: "application/json", ...options.headers });
  if (options.json !== undefined) headers.set("Content-Type", "application/json");
  const token = cookie("csrftoken");
  if (token && method !== "get") headers.set("X-CSRFToken", token);
  return headers;
}

/**
 * The one door to the server.
 *
 * @throws ApiError when the server refuses, NetworkError when it cannot be reached.
 */
async function send<T>(method: Method, path: string, options: Options): Promise<Reply<T>> {
  const init: RequestInit = {
    method: method.toUpperCase(),
    headers: headersOf(method, options),
    body: options.json === undefined ? undefined : JSON.stringify(options.json),
    credentials: "same-origin",
    signal: options.signal,
  };
  let response: Response;
  try {
    response = await fetch(addressOf(path, options.query), init);
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new NetworkError(cause);
  }
  if (!response.ok) throw await errorOf(response);
  const isJson = response.headers.get("Content-Type")?.includes("json");
  const data = (response.status === 204 || !isJson ? null : await response.json()) as T;
  return { data, etag: response.headers.get("ETag"), status: response.status };
}

/** Ask an address of the schema, where the headers or the status matter; throws what `send` throws. */
export const request = <M extends Method, A extends Address<M>>(
  method: M,
  path: A,
  options: Options & { readonly json?: Body<M, A> } = {},
): Promise<Reply<Answer<M, A>>> => send(method, path, options);

export const get = async <A extends Address<"get">>(
  path: A,
  query?: Asking<"get", A>,
  signal?: AbortSignal,
): Promise<Answer<"get", A>> =>
  (await send<Answer<"get", A>>("get", path, { query: query as Query, signal })).data;

/** Go on with a list: its `next` is given as it came. `A` is the address that the list was asked from. */
export const getMore = async <A extends Address<"get">>(
  next: string,
  signal?: AbortSignal,
): Promise<Answer<"get", A>> => (await send<Answer<"get", A>>("get", next, { signal })).data;

/** Nothing is sent where the schema has no body. */
type Given<M extends Method, A extends string> = [Body<M, A>] extends [never] ? [] : [json: Body<M, A>];

export const post = async <A extends Address<"post">>(
  path: A,
  ...[json]: Given<"post", A>
): Promise<Answer<"post", A>> => (await send<Answer<"post", A>>("post", path, { json: json ?? {} })).data;

export const patch = async <A extends Address<"patch">>(
  path: A,
  ...[json]: Given<"patch", A>
): Promise<Answer<"patch", A>> => (await send<Answer<"patch", A>>("patch", path, { json })).data;

export const remove = async (path: Address<"delete">): Promise<void> => {
  await send<null>("delete", path, {});
};
