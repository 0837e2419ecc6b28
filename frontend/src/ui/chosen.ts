import { useState } from "react";

/** What was chosen of a list; while that is not in it (nothing was, or the list became another), the first. */
export function useChosen<T extends string>(among: readonly T[]): [T | undefined, (one: T) => void] {
  const [chosen, setChosen] = useState<T | null>(null);
  return [among.find((one) => one === chosen) ?? among[0], setChosen];
}
