import { useSyncExternalStore } from "react";
import { ApiError } from "./errors";
import { get, post, remove } from "./fetch";
import type { Me } from "./types";

/** Who is signed in: `undefined` while asking, `null` when nobody is. */
export type Session = Me | null | undefined;

let session: Session;
const listeners = new Set<() => void>();

function settle(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}

/** Ask the server who is signed in; it sets the CSRF cookie in any case. Other errors rise. */
export async function loadSession(): Promise<Session> {
  try {
    settle(await get("me/"));
  } catch (error) {
    if (!(error instanceof ApiError && error.isSignedOut)) throw error;
    settle(null);
  }
  return session;
}

export async function signIn(username: string, password: string): Promise<Me> {
  if (!document.cookie.includes("csrftoken=")) await loadSession();
  const me = await post("session/", { username, password });
  settle(me);
  return me;
}

export async function signOut(): Promise<void> {
  await remove("session/");
  settle(null);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The session for components; call `loadSession` once at the page's start. */
export const useSession = (): Session => useSyncExternalStore(subscribe, () => session);
