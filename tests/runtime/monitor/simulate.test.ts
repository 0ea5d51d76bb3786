import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simulatedRetraining } from "../../../runtime/cli/simulated-retraining";
import type { GreyImage } from "../../../runtime/imaging";
import { describeSimulation, type SimulateOptions, simulate } from "../../../runtime/monitor";
import { FeatureSpread } from "../../../runtime/monitor/feature-spread";
import { drifted } from "../../../runtime/monitor/simulate/drifts";
import { live, Population } from "../../../runtime/monitor/simulate/life";
import type { PoolScan } from "../../../runtime/monitor/simulate/pool";
import { livesOf } from "../../../runtime/monitor/simulate/words";
import { createLogger } from "../../../runtime/platform/logging";
import { type Progress, silentProgress } from "../../../runtime/platform/progress";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { scoreStep } from "../../../runtime/score";
import { headPixels } from "../../support/head";
import { promote, storeModel } from "../../support/served-model";
import { assign, land } from "../preprocess/landed";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describe("a life", () => {
  const draw = normal(uniform(3));
  const features = () => Array.from({ length: 8 }, draw);
  const spread = FeatureSpread.of(Array.from({ length: 200 }, features));

  /** @param noise added to the statistic of that name */
  function population(noise: number): Population {
    const scans = Array.from({ length: 400 }, (_, i): PoolScan => {
      const cancer = i % 2 === 0;
      return {
        sha256: `${i}`,
        label: cancer ? "Cancer" : "Non-Cancer",
        group: `g${i >> 1}`,
        ...{ split: "test", collection: null, subtype: null, view: null, refused: i % 40 === 0 },
        probability: 1 / (1 + Math.exp((cancer ? -2.5 : 2.5) + 1.5 * draw())),
        statistics: {
          ...{ brightness: draw(), contrast: draw(), noise: draw() + noise, sharpness: draw() },
          ...{ foreground: draw(), background: draw(), scale: 0 },
        },
        features: features(),
      };
    });
    return new Population([{ scans, spread }]);
  }

  const [plain, noisy] = [population(0), population(1)];
  const usual = { days: 40, scansPerDay: 40, plain, models: [{ id: "m", threshold: 0.5 }], feedback: 0.2 };

  test("is the same for the same seed, and another for another", async () => {
    const first = await live({ ...usual, seed: 1 });
    expect(await live({ ...usual, seed: 1 })).toEqual(first);
    expect((await live({ ...usual, seed: 2 })).levels).not.toEqual(first.levels);
    expect(first.after).toBeNull();
    expect(first.refused).toBeGreaterThan(0);
  });

  test("finds scans that come otherwise, and names them", async () => {
    const change = { kind: "pictures", population: noisy, share: 0.5, day: 20 } as const;
    for (const seed of [1, 2, 3, 4, 5]) {
      const { alarms, namedRightly } = await live({ ...usual, seed, change });
      const at = alarms.findIndex(({ day, watch }) => day >= 20 && watch === "input");
      const [alarm, rightly] = [alarms[at], namedRightly[at]];
      expect(alarm?.day).toBeLessThan(30);
      expect(alarm?.drivers[0]).toMatchObject({ statistic: "noise" });
      // Half of the scans are otherwise; those it names are so more often.
      expect(rightly).toBeGreaterThanOrEqual(0.6);
    }
  });

  test("makes the model right as often as it is told to", async () => {
    const change = { kind: "accuracy", to: 0.7, day: 10 } as const;
    const { before, after, alarms } = await live({ ...usual, seed: 5, change, scansPerDay: 200 });
    expect(before.true).toBeCloseTo(plain.accuracy(0.5), 1);
    expect(Math.abs((after?.true ?? 0) - 0.7)).toBeLessThan(0.02);
    expect(alarms.some(({ watch }) => watch === "feedback")).toBe(true);
  });

  test("has as much Cancer as it is told to", () => {
    const random = uniform(mixSeed(9));
    const cancer = Array.from({ length: 4000 }, () => plain.draw(random, 0.7)).filter(
      ({ label }) => label === "Cancer",
    );
    expect(Math.abs(cancer.length / 4000 - 0.7)).toBeLessThan(0.03);
  });
});

/** A workspace whose model answered for small scans of two kinds. */
async function workspaceWith(scans: number) {
  const folder = await mkdtemp(join(tmpdir(), "simulate-"));
  folders.push(folder);
  const workspace = await openWorkspace(folder);
  await storeModel(workspace);
  await promote(workspace);
  for (let i = 0; i < scans; i++) {
    const bright = i % 2 === 0;
    const spot = { x: 26 + (i % 5), y: 30 + (i % 7), radius: 8 };
    const head: GreyImage = {
      ...{ width: 64, height: 72, depth: 8 },
      pixels: new Uint8Array(headPixels(64, 72, bright ? spot : undefined, i)),
    };
    // A little noise: no two are equal.
    const image = drifted(head, "noise", 0.3, i);
    const row = await land(workspace, `${bright ? "Cancer" : "Non-Cancer"}/${i}.png`, image);
    await assign(workspace, row, { group: `g${i}`, split: i < 12 ? "train" : i < 30 ? "validation" : "test" });
  }
  return workspace;
}

test("the real model answers once, each drift before the recipe, and a second run lives the same lives", async () => {
  const workspace = await workspaceWith(64);
  const said: string[] = [];
  const progress: Progress = { ...silentProgress, say: (sentence) => void said.push(sentence) };
  const options: SimulateOptions = {
    ...{ days: 12, scansPerDay: 30, seeds: 2, seed: 1, feedback: 0.2 },
    drift: { kind: "resolution", day: 4, to: 1 },
    ...{ progress, signal: new AbortController().signal },
  };
  await expect(simulate(workspace, options)).rejects.toThrow(/Run npm run score/);
  await scoreStep({ workspace, seed: 0, log: createLogger("score"), progress, signal: options.signal });
  said.length = 0;
  const found = await simulate(workspace, options);
  expect(said.filter((sentence) => /answers|strength/.test(sentence)).length).toBeGreaterThan(1);
  expect(found).toMatchObject({ lives: 2, pool: { scans: 52, groups: 52 }, falseAlarms: { months: (2 * 4) / 30 } });
  expect(found.falseAlarms.proven).toBeCloseTo(0.45);
  expect(found.drift).toMatchObject({ kind: "resolution", day: 4, missed: 0, within7: 1, driversMoved: 1 });
  expect(found.drift?.drivers).toHaveProperty("sharpness");
  expect(describeSimulation(found)).toMatch(/resolution from day 4 .*found within 7 days in 100 % of lives/);
  said.length = 0;
  expect(await simulate(workspace, options)).toEqual(found);
  expect(said).toEqual(["2 lives of 12 days"]);
  // Another model, which has never served, is asked for the same scans with the same change, and for what it sees in training scans.
  const challengers = ["bright-spot-0002"];
  await storeModel(workspace, "bright-spot-0002");
  const retraining = await simulatedRetraining(workspace, challengers, { everyDays: 0, newScans: 15 });
  said.length = 0;
  const again = await simulate(workspace, { ...options, retraining });
  expect(said.filter((sentence) => /answers/.test(sentence))).toEqual(
    ["scans", "scans"].map((what) => `bright-spot-0002 answers for the ${what}`),
  );
  expect(said.filter((sentence) => /strength/.test(sentence))).toHaveLength(1);
  // It is the same network: it is not shown to be better, which is right.
  expect({ ...again, retraining: null, first: null }).toEqual({ ...found, first: null });
  const { started, byTrigger, kept, promoted, clauses, accuracy } = again.retraining ?? fail();
  expect(Object.keys(byTrigger).sort()).toEqual(["alarm", "labels"]);
  expect(kept).toMatchObject({ count: started, missed: 0 });
  // Nothing comes after one of the last day, so nothing says what that was worth.
  expect(kept.right).toBeGreaterThanOrEqual(started - options.seeds);
  expect({ promoted, clauses }).toEqual({
    promoted: { count: 0, right: 0, wrong: 0 },
    clauses: { "comparison.superiority": started },
  });
  expect(accuracy.accuracy).toBe(accuracy.without);
  const { retrainings } = again.first;
  for (const { day, after, test: set } of retrainings) {
    expect(after.scans).toBe((options.days - 1 - day) * options.scansPerDay);
    expect(after.challenger).toEqual(after.champion);
    expect(set.scans - set.came).toBe(34);
  }
  const sentences = describeSimulation(again);
  expect(sentences).toContain(`Retrainings: ${started} (`);
  expect(sentences).toMatch(
    /day 4: retrained \(alarm\): bright-spot-0002 against bright-spot-0001 on \d+ test scans, \d of them from these days: not promoted\./,
  );
  expect(sentences).toMatch(/On 210 scans that came after: bright-spot-0002 AUC .*; bright-spot-0001 AUC .*: right\./);
  await workspace.close();
});

function fail(): never {
  throw new Error("There is none.");
}

test("one is one, and some are some", () => {
  expect(livesOf(1, 20)).toBe("1 life of 20 days");
  expect(livesOf(2, 1)).toBe("2 lives of 1 day");
});

test("too few held-out scans are no hospital, which is said", async () => {
  const workspace = await workspaceWith(20);
  const signal = new AbortController().signal;
  await scoreStep({ workspace, seed: 0, log: createLogger("score"), progress: silentProgress, signal });
  const options = { days: 2, scansPerDay: 3, seeds: 1, seed: 1, feedback: 0, progress: silentProgress, signal };
  await expect(simulate(workspace, options)).rejects.toThrow(
    /There are 4 Cancer and 4 Non-Cancer scans in the validation/,
  );
  await workspace.close();
});
