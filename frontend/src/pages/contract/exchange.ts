/** Snapshots and the files made of them. As the schema has it. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];

export type Counts = Schemas["Counts"];
export type SplitCounts = Schemas["SplitCounts"];
export type Source = Schemas["SourceOut"];
export type Snapshot = Schemas["SnapshotOut"];
export type DryRun = Schemas["DryRunOut"];
export type Export = Schemas["ExportOut"];
