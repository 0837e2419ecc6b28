import { get } from "../api/fetch";
import type { ExamDetail, Reading } from "../api/types";

/**
 * What is here before it is asked for: the reading that the server has just given, and the exam that it said is likely
 * to be next. One of each, so that a day's work fills no memory.
 */
let given: Reading | null = null;
let ahead: { project: string; exam: string; detail: Promise<ExamDetail> } | null = null;

export const examOf = (project: string, exam: string): Promise<ExamDetail> =>
  get(`exams/${exam}/`, { project });

/** Keep the answer to "the next exam, please": it is the reading that is opened next. */
export function keepGiven(reading: Reading): void {
  given = reading;
}

/** The reading with this id if it was just given; once. */
export function takeGiven(id: string): Reading | null {
  const reading = given?.id === id ? given : null;
  given = null;
  return reading;
}

/** Ask for the exam that is likely to be next. */
export function lookAhead(project: string, exam: string): Promise<ExamDetail> {
  if (ahead?.project !== project || ahead.exam !== exam) {
    ahead = { project, exam, detail: examOf(project, exam) };
    const mine = ahead;
    // What failed is asked again when it is wanted.
    mine.detail.catch(() => {
      if (ahead === mine) ahead = null;
    });
  }
  return ahead.detail;
}

/** The exam, from what was asked ahead or from the server. */
export function takeExam(project: string, exam: string): Promise<ExamDetail> {
  const known = ahead?.project === project && ahead.exam === exam ? ahead.detail : null;
  ahead = null;
  return known?.catch(() => examOf(project, exam)) ?? examOf(project, exam);
}
