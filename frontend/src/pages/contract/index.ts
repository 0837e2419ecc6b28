/** What the server answers, by the names that the pages have for it; a file a noun of the loop. */

export type { Me, ProjectRef, Role, Split } from "../../api/types";
export type * from "./archive";
export type * from "./exchange";
export type * from "./jobs";
export type * from "./loop";
export type * from "./models";
export type * from "./people";
export type * from "./reading";
export type * from "./runs";
