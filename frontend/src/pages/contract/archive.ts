/** Exams and images, imports, archives of others. As the schema has it. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];

export type ThumbImage = Schemas["ImageBrief"];
export type ExamRow = Schemas["ExamRow"];
export type Ingest = Schemas["IngestOut"];
export type IngestItem = Schemas["IngestItemOut"];
export type Archive = Schemas["ArchiveOut"];
export type Study = Schemas["StudyOut"];
/** One element of an image's header, as DICOM JSON has it. */
export type HeaderElement = Schemas["DicomElement"];
