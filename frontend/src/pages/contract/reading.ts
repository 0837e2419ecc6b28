/** What waits, and what readers said. As the schema has it. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];

export type Reason = Schemas["RankReason"];
export type PartOfScore = Schemas["PartOfScore"];
export type WorklistEntry = Schemas["EntryOut"];
export type Worklist = Schemas["WorklistOut"];
export type Reading = Schemas["ReadingOut"];
export type ReadingDocument = Schemas["ReadingDocument"];
export type Finding = Schemas["ReadingFinding"];
