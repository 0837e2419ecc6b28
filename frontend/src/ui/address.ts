import { useCallback } from "react";
import { navigate, usePath, useQuery } from "../router";

/** What a query says after some of its words change; null or an empty word leaves. Pure. */
export function changedQuery(
  query: URLSearchParams,
  changes: Readonly<Record<string, string | null>>,
): string {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  const text = next.toString();
  return text && `?${text}`;
}

/** The words after the `?` of the address, and a way to change them that leaves no trail in the history. */
export function useAddress() {
  const path = usePath();
  const query = useQuery();
  const change = useCallback(
    (changes: Readonly<Record<string, string | null>>) =>
      navigate(`${path}${changedQuery(new URLSearchParams(window.location.search), changes)}`, {
        replace: true,
      }),
    [path],
  );
  return { query, change };
}
