/** Background work. As the schema has it. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];

export type Job = Schemas["JobOut"];
export type JobDetail = Schemas["JobDetail"];
export type JobFailure = Schemas["JobError"];
export type JobState = Job["state"];
