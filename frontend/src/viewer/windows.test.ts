import { describe, expect, test } from "vitest";
import { voiTables } from "./tables";
import { curveOf, dragged, greyOf, type Shading } from "./voi";
import { ALL_VALUES, nextWay, waysToLook } from "./windows";

/** A VOI LUT as DICOM JSON has it: three entries of 12 bits for the values from 100 on. */
const item = (more: Record<string, unknown> = {}) => ({
  "00283002": { vr: "US", Value: [3, 100, 12] },
  "00283003": { vr: "LO", Value: ["SOFTER"] },
  "00283006": { vr: "US", Value: [0, 1365, 4095] },
  ...more,
});
const header = (...items: unknown[]) => ({ "00283010": { vr: "SQ", Value: items } });
const greys = (shading: Shading, values: number[]) =>
  values.map((value) => greyOf(value, shading, "MONOCHROME2"));

const windows = [
  { center: 500, width: 300, explanation: "NORMAL" },
  { center: 700, width: 100, explanation: "HARDER" },
];
const tables = voiTables(header(item()));

describe("a VOI LUT of a file", () => {
  // trap 1
  test("gives each value its entry, and the first and the last beyond its ends", () => {
    const [table] = waysToLook({ windows: [], voiFunction: "", tables }, [0, 9]) as [Shading];
    expect(greys(table, [0, 100, 101, 102, 4000])).toEqual([0, 0, 1365 / 4095, 1, 1]);
  });

  test.each([
    ["words, low byte first", btoa("\x00\x00\x55\x05\xff\x0f"), 12, [0, 1365 / 4095, 1]],
    ["bytes", btoa("\x00\x80\xff"), 8, [0, 128 / 255, 1]],
    ["bytes, filled up to an even count", btoa("\x00\x80\xff\x00"), 8, [0, 128 / 255, 1]],
  ])("is read from a binary value, %s", (_, InlineBinary, bits, expected) => {
    const binary = item({
      "00283002": { vr: "US", Value: [3, 100, bits] },
      "00283006": { vr: "OW", InlineBinary },
    });
    expect(voiTables(header(binary))[0]?.greys).toEqual(expected);
  });

  test("may begin below zero", () => {
    const signed = voiTables(header(item({ "00283002": { vr: "SS", Value: [3, -1, 12] } })));
    const [table] = waysToLook({ windows: [], voiFunction: "", tables: signed }, [0, 9]) as [Shading];
    expect(greys(table, [-1, 0, 1])).toEqual([0, 1365 / 4095, 1]);
  });

  test("of which entries are missing is not offered", () => {
    expect(voiTables(header(item({ "00283006": { vr: "US", Value: [0, 1] } }), {}))).toEqual([]);
    expect(voiTables({})).toEqual([]);
  });

  test("keeps its form when it is dragged wider", () => {
    const [table] = waysToLook({ windows: [], voiFunction: "", tables }, [0, 9]) as [Shading];
    const wide = { ...dragged(table, 0, 0), width: 4, center: 102 };
    expect(greys(wide, [100, 102, 104])).toEqual([0, 1365 / 4095, 1]);
    expect(wide.name).toBeNull();
  });
});

describe("the ways to look at an image", () => {
  const ways = waysToLook({ windows, voiFunction: "SIGMOID", tables }, [10, 110]);

  // trap 2, 4
  test("are the file's windows in its order, its tables, and all values; the first window opens", () => {
    expect(ways.map((way) => way.name)).toEqual(["NORMAL", "HARDER", "SOFTER (LUT)", ALL_VALUES]);
    expect(ways[0]).toMatchObject({ center: 500, width: 300, function: "SIGMOID", inverted: false });
  });

  test("without a window all values go from black to white", () => {
    const [only] = waysToLook({ windows: [], voiFunction: "", tables: [] }, [10, 110]) as [Shading];
    expect(greys(only, [10, 60, 110])).toEqual([0, 0.5, 1]);
  });

  test("a window without a width or without numbers is none", () => {
    const odd = [
      { center: Number.NaN, width: 10, explanation: "" },
      { center: 5, width: 0, explanation: "" },
    ];
    expect(waysToLook({ windows: odd, voiFunction: "", tables: [] }, [0, 1])).toHaveLength(1);
  });

  test("have names that differ, given or not", () => {
    const twice = [
      { center: 1, width: 2, explanation: "" },
      { center: 2, width: 2, explanation: "" },
      { center: 3, width: 2, explanation: "window 1" },
    ];
    const names = waysToLook({ windows: twice, voiFunction: "", tables: [] }, [0, 1]).map((way) => way.name);
    expect(names).toEqual(["window 1", "window 2", "window 1 2", ALL_VALUES]);
  });

  test("follow each other round the list, and inversion stays", () => {
    const inverted = { ...(ways.at(-1) as Shading), inverted: true };
    expect(nextWay(ways, inverted, 1)).toMatchObject({ name: "NORMAL", inverted: true });
    expect(nextWay(ways, ways[0] as Shading, -1).name).toBe(ALL_VALUES);
  });

  test("after a window set by hand the first comes back", () => {
    expect(nextWay(ways, dragged(ways[1] as Shading, 9, 9), 1).name).toBe("NORMAL");
  });
});

describe("the curve for the graphics card", () => {
  const shading: Shading = {
    center: 2048,
    width: 1000,
    function: "SIGMOID",
    table: null,
    inverted: false,
    name: null,
  };
  const straight = (curve: [number, number][], value: number): number => {
    const after = curve.findIndex(([x]) => x >= value);
    if (after <= 0) return (after < 0 ? curve.at(-1) : curve[0])?.[1] as number;
    const [[x0, g0], [x1, g1]] = [curve[after - 1], curve[after]] as [[number, number], [number, number]];
    return g0 + ((g1 - g0) * (value - x0)) / (x1 - x0);
  };

  test.each([
    ["LINEAR", {}],
    ["LINEAR_EXACT", {}],
    ["SIGMOID", {}],
    ["LINEAR", { table: Array.from({ length: 3000 }, (_, i) => (i / 2999) ** 2) }],
    ["LINEAR", { inverted: true }],
  ] as const)("is nowhere half a grey of 8 bits off, %s %o", (name, more) => {
    const one = { ...shading, function: name, ...more };
    for (const photometric of ["MONOCHROME1", "MONOCHROME2"]) {
      const curve = curveOf(one, photometric);
      for (let value = -500; value < 5000; value += 7) {
        expect(Math.abs(straight(curve, value) - greyOf(value, one, photometric))).toBeLessThan(0.5 / 255);
      }
    }
  });

  test("a width of 1 rises within one value", () => {
    const [low, high] = curveOf({ ...shading, function: "LINEAR", width: 1, center: 100 }, "MONOCHROME2");
    expect([low?.[1], high?.[1]]).toEqual([0, 1]);
    expect((high?.[0] as number) - (low?.[0] as number)).toBeLessThan(1);
  });
});
