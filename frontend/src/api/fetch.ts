import { errorOf, NetworkError } from "./errors";

export const API = "/api/v1/";

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

export type RequestOptions = {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is: a file, a form. */
  body?: BodyInit;
  query?: Query;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** Let the request outlive the page: for what is sent while leaving. */
  keepalive?: boolean;
};

export type Answer<T> = { data: T; etag: string | null; status: number };

/** An address of the API, with the query's empty values left out. `next` links of a list are given as they came. */
export function apiAddress(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const address = /^(https?:)?\//.test(path) ? path : API + path;
  if (!pairs.length) return address;
  const search = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]));
  return `${address}${address.includes("?") ? "&" : "?"}${search}`;
}

function cookie(name: string): string | null {
  for (const pair of document.cookie.split("; ")) {
    if (pair.startsWith(`${name}=`)) return decodeURIComponent(pair.slice(name.length + 1));
  }
  return null;
}

function headersOf(options: RequestOptions): Headers {
  const headers = new Headers({ Accept: "application/json", ...options.headers });
  if (options.json !== undefined) headers.set("Content-Type", "application/json");
  const token = cookie("csrftoken");
  if (token && options.method && options.method !== "GET") headers.set("X-CSRFToken", token);
  return headers;
}

/**
 * The one door to the server.
 *
 * @throws ApiError when the server refuses, NetworkError when it cannot be reached.
 */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<Answer<T>> {
  const init: RequestInit = {
    method: options.method ?? "GET",
    headers: headersOf(options),
    body: options.json === undefined ? options.body : JSON.stringify(options.json),
    credentials: "same-origin",
    signal: options.signal,
    keepalive: options.keepalive,
  };
  let response: Response;
  try {
    response = await fetch(apiAddress(path, options.query), init);
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new NetworkError(cause);
  }
  if (!response.ok) throw await errorOf(response);
  const isJson = response.headers.get("Content-Type")?.includes("json");
  const data = (response.status === 204 || !isJson ? null : await response.json()) as T;
  return { data, etag: response.headers.get("ETag"), status: response.status };
}

export const get = async <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  (await request<T>(path, { query, signal })).data;

export const post = async <T>(path: string, json: unknown = {}, query?: Query): Promise<T> =>
  (await request<T>(path, { method: "POST", json, query })).data;

export const patch = async <T>(path: string, json: unknown): Promise<T> =>
  (await request<T>(path, { method: "PATCH", json })).data;

export const remove = async (path: string): Promise<void> => {
  await request<null>(path, { method: "DELETE" });
};
