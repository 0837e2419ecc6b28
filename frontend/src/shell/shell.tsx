import type { ReactNode } from "react";

/** What stands round every page but the reading room and those that ask to be bare. */
export function Shell({ children }: { children: ReactNode }) {
  return <>{children}</>;
}
