import { type FittedGuard, fitGuard, InputGuard, parseGuard, serializeGuard } from "../../../runtime/guard";
import { headSlice, NOT_BRAINS, recipeOf, seedOf } from "./pictures";

const SLICES = [-0.6, -0.2, 0.2, 0.6];
let fitted: FittedGuard;
let guard: InputGuard;

beforeAll(async () => {
  const scans = Array.from({ length: 52 }, (_, patient) =>
    SLICES.map((slice) => ({ grey: headSlice(patient, slice), group: `p${patient}` })),
  ).flat();
  fitted = (await fitGuard(scans)) as FittedGuard;
  guard = new InputGuard(fitted.parameters, fitted.threshold);
}, 300_000);

describe("an input guard", () => {
  it("knows its own false alarms: about one scan in a hundred, of heads it was fitted to and of others", () => {
    expect(fitted.scans).toBe(208);
    expect(fitted.falseAlarms).toBeLessThanOrEqual(0.01);
    const refused = Array.from({ length: 12 }, (_, i) =>
      SLICES.map((slice) => guard.judge(headSlice(500 + i, slice)).refused),
    )
      .flat()
      .filter(Boolean);
    expect(refused.length).toBeLessThanOrEqual(3);
  });

  it.each(Object.keys(NOT_BRAINS))("refuses %s", async (kind) => {
    const count = 5;
    let refused = 0;
    for (let i = 0; i < count; i++) {
      const picture = await (NOT_BRAINS[kind] as (typeof NOT_BRAINS)[string])(seedOf(kind, i));
      if (guard.judge(recipeOf(picture)).refused) refused++;
    }
    expect(refused).toBe(count);
  });

  it("is the same after it was stored, for one channel and for three", () => {
    const stored = new InputGuard(parseGuard(serializeGuard(fitted.parameters)), fitted.threshold);
    const grey = headSlice(900, 0.1);
    const three = Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)] as number);
    expect(stored.judge(three)).toEqual(guard.judge(grey));
    expect(() => parseGuard(Buffer.alloc(100))).toThrow(/100/);
  });

  it("is not fitted to too few scans or patients, and can be interrupted", async () => {
    const grey = headSlice(1, 0);
    const scans = (count: number, groups: number) =>
      Array.from({ length: count }, (_, i) => ({ grey, group: `g${i % groups}` }));
    expect(await fitGuard(scans(199, 100))).toBeUndefined();
    expect(await fitGuard(scans(300, 10))).toBeUndefined();
    await expect(fitGuard(scans(300, 100), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});
