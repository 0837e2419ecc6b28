import { expect, it } from "vitest";
import { weightError } from "./rules";

it.each(["0", "1.5", "100"])("%s is a weight", (text) => expect(weightError(text)).toBeNull());
it.each(["", "-1", "101", "x"])("%j is none", (text) => expect(weightError(text)).not.toBeNull());
