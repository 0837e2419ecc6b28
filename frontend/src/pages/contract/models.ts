/** What the runs made, and what it says. As the schema has it. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];

export type Metric = Schemas["Metric"];
export type Curves = Schemas["Curves"];
export type Worst = Schemas["Worst"];
export type Model = Schemas["VersionOut"];
export type ModelDetail = Schemas["VersionDetail"];
export type PredictionUnit = Schemas["PredictionOut"];
export type PredictionRow = Schemas["PredictionRow"];
/** Kind and geometry of a mark, in stored pixels. */
export type Shape = Schemas["ReadingShape"];
/** Weights of a network that was trained elsewhere. */
export type WeightsFile = Schemas["WeightsOut"];
