import type { Problem } from "./types";

/** What the server says when it refuses: RFC 9457 problem details with our stable code. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail: unknown,
    readonly requestId: string | null,
    sentence: string,
    readonly cure: string | null = null,
  ) {
    super(sentence);
    this.name = "ApiError";
  }

  /** Nobody is signed in: ask for the name and password and try again. */
  get isSignedOut(): boolean {
    return this.status === 401;
  }
}

/** The request never reached the server, or its answer never came: what was to be sent must be kept and sent again. */
export class NetworkError extends Error {
  constructor(cause: unknown) {
    super("The server cannot be reached", { cause });
    this.name = "NetworkError";
  }
}

const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);

/** The typed error of an answer that is not ok; an answer that is no problem document keeps its status. */
export async function errorOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get("X-Request-Id");
  const body: unknown = await response.json().catch(() => null);
  if (body === null || typeof body !== "object") {
    return new ApiError("http", response.status, null, requestId, `The server answered ${response.status}`);
  }
  const problem: Partial<Problem> = body; // perhaps of a proxy: nothing of it is certain
  const code = text(problem.code) ?? "http";
  const sentence = text(problem.detail) ?? text(problem.title) ?? `The server answered ${response.status}`;
  const id = text(problem.request_id) ?? requestId;
  return new ApiError(code, response.status, problem.errors ?? null, id, sentence, text(problem.cure));
}
