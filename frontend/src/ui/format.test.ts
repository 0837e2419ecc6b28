import { describe, expect, it } from "vitest";
import {
  absolute,
  bytes,
  compact,
  counted,
  duration,
  figure,
  interval,
  percent,
  relative,
  share,
  timeLeft,
} from "./format";

const NOW = Date.parse("2026-11-23T12:00:00Z");

describe("figures", () => {
  it.each([
    [0.9412, ".941"],
    [-0.05, "-.050"],
    [-0.0001, ".000"],
    [1, "1.000"],
    [3.25, "3.250"],
    [null, "—"],
    [Number.NaN, "—"],
  ])("%s reads %s", (value, text) => expect(figure(value)).toBe(text));

  it("gives intervals with both ends, and a dash for none", () => {
    expect(interval([0.523, 1])).toBe(".52–1.00");
    expect(interval([-0.5, 0.1])).toBe("-.50 to .10");
    expect(interval(null)).toBe("—");
  });

  it("keeps small and large numbers short", () => {
    expect(compact(0.0003)).toBe("0.0003");
    expect(compact(3e-7)).toBe("3.0e-7");
    expect(compact(12.5)).toBe("12.5");
  });
});

describe("sizes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [6_300_000, "6.3 MB"],
    [754_000_000, "754 MB"],
    [3_100_000_000, "3.1 GB"],
  ])("%d bytes read %s", (n, text) => expect(bytes(n)).toBe(text));

  it("counts in words", () => {
    expect(counted(0, "exam")).toBe("no exams");
    expect(counted(1, "exam")).toBe("1 exam");
    expect(counted(1204, "exam")).toBe("1,204 exams");
  });
});

describe("times", () => {
  it.each([
    ["2026-11-23T11:59:50Z", "just now"],
    ["2026-11-23T11:56:00Z", "4 min ago"],
    ["2026-11-23T09:00:00Z", "3 h ago"],
    ["2026-11-20T12:00:00Z", "3 days ago"],
    ["2026-01-20T12:00:00Z", "2026-01-20"],
    ["2026-11-23T12:10:00Z", "in 10 min"],
  ])("%s is %s", (iso, text) => expect(relative(iso, NOW)).toBe(text));

  it("says the whole moment in UTC, whatever the offset it came with", () => {
    expect(absolute("2026-11-23T13:30:49.25+01:00")).toBe("2026-11-23 12:30:49 UTC");
  });

  it.each([
    [8.4, "8 s"],
    [360, "6 min"],
    [4320 + 3600, "2 h 12 min"],
    [86400 * 3, "3 days"],
  ])("%d s read %s", (seconds, text) => expect(duration(seconds)).toBe(text));

  it("says nothing where nobody knows the time left", () => expect(timeLeft(null)).toBe(""));
});

describe("shares", () => {
  it("stay between nothing and all, and are unknown without a whole", () => {
    expect(share(5, 10)).toBe(0.5);
    expect(share(11, 10)).toBe(1);
    expect(share(5, null)).toBeNull();
    expect(percent(share(64, 100))).toBe("64 %");
    expect(percent(null)).toBe("—");
  });
});
