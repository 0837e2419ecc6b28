import { expect, it } from "vitest";
import { toCsv } from "./csv";

it("quotes what needs it and ends each line with CR LF", () => {
  expect(toCsv(["exam", "why"], [["L-1", 'between "c" and "d", twice']])).toBe(
    'exam,why\r\nL-1,"between ""c"" and ""d"", twice"\r\n',
  );
});

it("keeps numbers as numbers and leaves nothing where there is nothing", () => {
  expect(toCsv(["a", "b", "c"], [[-0.5, null, undefined]])).toBe("a,b,c\r\n-0.5,,\r\n");
});

it("does not hand a formula to a spreadsheet", () => {
  expect(toCsv(["a"], [["=1+1"], ["-5"], ["@x"]])).toBe("a\r\n'=1+1\r\n-5\r\n'@x\r\n");
});
