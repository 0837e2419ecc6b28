import type { Route } from "../router";

/** Every page but the reading room. The first path that matches wins. */
export const routes: readonly Route[] = [];
