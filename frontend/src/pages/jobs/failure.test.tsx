import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Failure } from "./failure";

const error = {
  code: "learning.run_invalid",
  sentence: "The learner refused the request.",
  cure: "Change it.",
};

function shown(detail: unknown): string {
  return renderToStaticMarkup(<Failure job={{ id: "j1", error: { ...error, detail } as never }} />);
}

test("a failure quotes the learner's own words where it has them", () => {
  expect(shown({ exit_code: 2, text: "lr must be positive" })).toContain("<p>lr must be positive</p>");
});

test("a failure without words is its sentence and what to do", () => {
  expect(shown({}).match(/<p>/g)).toHaveLength(2);
});
