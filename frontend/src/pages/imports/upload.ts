import { ApiError } from "../../api/errors";
import { apiAddress } from "../../api/fetch";
import { sendFile } from "../../api/sending";
import type { Chosen } from "./choose";

export interface Sent {
  readonly files: number;
  readonly bytes: number;
  /** What was sent, by the number that the server gave it. */
  readonly names: ReadonlyMap<number, string>;
  readonly failed: readonly { readonly path: string; readonly why: string }[];
}

const AT_ONCE = 3;
const TRIES = 3;

/** Send one file; the number that the server gave it. */
async function put(
  ingest: string,
  { path, file }: Chosen,
  signal: AbortSignal,
  onBytes: (n: number) => void,
): Promise<number> {
  const address = apiAddress(`ingests/${ingest}/files/`);
  const answer = await sendFile<{ item: { n: number } }>({
    method: "PUT",
    address,
    file,
    name: path,
    signal,
    onBytes,
  });
  return answer.item.n;
}

/** An answer that the next try would get again. */
const isFinal = (error: unknown) => error instanceof ApiError && error.status < 500 && error.status !== 429;

async function putPatiently(
  ingest: string,
  chosen: Chosen,
  signal: AbortSignal,
  onBytes: (n: number) => void,
) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await put(ingest, chosen, signal, onBytes);
    } catch (error) {
      if (signal.aborted || isFinal(error) || attempt === TRIES) throw error;
      await new Promise((wake) => setTimeout(wake, 1000 * attempt));
    }
  }
}

/** Send files, a few at a time; one that fails is named and does not stop the others. */
export async function send(
  ingest: string,
  all: readonly Chosen[],
  signal: AbortSignal,
  onSent: (sent: Sent) => void,
): Promise<Sent> {
  const waiting = [...all];
  const under = new Map<Chosen, number>();
  const names = new Map<number, string>();
  let sent: Sent = { files: 0, bytes: 0, names, failed: [] };
  let whole = 0;
  const tell = (change: Partial<Sent>) => {
    sent = { ...sent, ...change, bytes: whole + [...under.values()].reduce((sum, n) => sum + n, 0) };
    onSent(sent);
  };
  async function line() {
    for (let next = waiting.shift(); next && !signal.aborted; next = waiting.shift()) {
      const chosen = next;
      try {
        const n = await putPatiently(ingest, chosen, signal, (n) => {
          under.set(chosen, n);
          tell({});
        });
        whole += chosen.file.size;
        under.delete(chosen);
        names.set(n, chosen.path);
        tell({ files: sent.files + 1 });
      } catch (error) {
        if (signal.aborted) throw error;
        whole += chosen.file.size;
        under.delete(chosen);
        tell({ failed: [...sent.failed, { path: chosen.path, why: (error as Error).message }] });
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, line));
  return sent;
}
