/** What the server answers, as far as the pages read it; a file a noun of the loop. */

export type { Me, Page, ProjectRef, Role, Split } from "../../api/types";
export type * from "./archive";
export type * from "./exchange";
export type * from "./jobs";
export type * from "./loop";
export type * from "./models";
export type * from "./people";
export type * from "./reading";
export type * from "./runs";
