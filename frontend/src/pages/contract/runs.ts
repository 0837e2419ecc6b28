/** Methods and trainings. As the schema has it. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];

export type Method = Schemas["MethodOut"];
export type Run = Schemas["RunOut"];
export type RunDetail = Schemas["RunDetail"];
export type RunEvent = Schemas["RunEventOut"];
