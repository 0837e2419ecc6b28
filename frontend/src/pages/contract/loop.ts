/** The loop: its strip and its rounds. As the schema has it. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];

export type Loop = Schemas["LoopOut"];
export type Round = Schemas["RoundOut"];
export type RoundDetail = Schemas["RoundDetail"];
export type RoundItem = Schemas["RoundItemOut"];
