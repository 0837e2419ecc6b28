/** Which tasks of a method a snapshot allows. Pure. */

import type { Method } from "../contract";

/** The wanted task where it is allowed, else the first that is. */
export function taskOf(method: Method | undefined, wanted: string): string | undefined {
  const allowed =
    method?.serves.filter((served) => served.refusal === null).map((served) => served.task) ?? [];
  return allowed.find((task) => task === wanted) ?? allowed[0];
}

/** The tasks that the snapshot's labels cannot teach, each with its reason. */
export function refusedTasks(method: Method): Method["serves"] {
  return method.serves.filter((served) => served.refusal !== null);
}
