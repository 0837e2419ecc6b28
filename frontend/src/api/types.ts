/**
 * Answers of the server by the names that the page has for them. Each is a line onto the schema: what is in it is said
 * in `schema.d.ts` and nowhere else. Times are ISO 8601 in UTC, ids are UUIDs.
 */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Problem = Schemas["Problem"];

export type Me = Schemas["MeOut"];
export type ProjectRef = Schemas["MemberProject"];
export type Membership = Schemas["MembershipOfMe"];
export type Role = Membership["role"];

export type ExamDetail = Schemas["ExamOut"];
export type ExamImage = Schemas["ImageOut"];
export type WindowChoice = Schemas["WindowOut"];
export type Laterality = ExamImage["laterality"];
export type Split = ExamDetail["split"];

export type Reading = Schemas["ReadingOut"];
export type ReadingDocument = Schemas["ReadingDocument"];
export type Worklist = Schemas["WorklistOut"];

/** What the server stored: its own count and hash, so that "saved" is a fact. */
export type EditAnswer = Schemas["SavedOut"];
export type Receipt = Schemas["ReceiptOut"];

export type Job = Schemas["JobOut"];
