import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simulatedRetraining } from "../../../runtime/cli/simulated-retraining";
import { FeatureSpread } from "../../../runtime/monitor/feature-spread";
import { type Change, type Life, live, Population } from "../../../runtime/monitor/simulate/life";
import type { PoolScan } from "../../../runtime/monitor/simulate/pool";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { currentModel } from "../../../runtime/registry";
import { BRIGHT_SPOT } from "../../support/bright-spot";
import { promote, storeModel } from "../../support/served-model";

// The models' files are there for what promotion reads of them; what they answer is drawn here, of a known quality.

const [FIRST, OTHER, THIRD] = [BRIGHT_SPOT.id, "bright-spot-0002", "bright-spot-0003"];
const RULES = { everyDays: 0, newScans: 0 };
let folder: string;
let workspace: Workspace;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "simulated-retraining-"));
  workspace = await openWorkspace(folder);
  for (const id of [FIRST, OTHER, THIRD]) await storeModel(workspace, id);
  await promote(workspace);
});
afterAll(async () => {
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

/** How far apart the log odds of the two classes lie for each model: 0 knows nothing, 5 nearly all. */
type Quality = readonly number[];

/** The same 400 scans in 200 groups, answered by models of this quality. @param noise added to one statistic of the pictures */
function population(quality: Quality, noise = 0): Population {
  const draw = normal(uniform(mixSeed(3)));
  const spread = FeatureSpread.of(Array.from({ length: 200 }, () => Array.from({ length: 8 }, draw)));
  const pictures = Array.from({ length: 400 }, (_, i) => ({
    ...{ sha256: `${i}`, label: i % 2 === 0 ? ("Cancer" as const) : ("Non-Cancer" as const), group: `g${i >> 1}` },
    ...{ split: "test" as const, collection: null, subtype: null, view: null, refused: false },
    statistics: {
      ...{ brightness: draw(), contrast: draw(), noise: draw() + noise, sharpness: draw() },
      ...{ foreground: draw(), background: draw(), scale: 0 },
    },
    features: Array.from({ length: 8 }, draw),
  }));
  const [first, ...others] = quality.map((apart, model) => {
    const error = normal(uniform(mixSeed(4, model)));
    const scans = pictures.map((picture): PoolScan => {
      const odds = (picture.label === "Cancer" ? apart : -apart) / 2 + 1.2 * error();
      return { ...picture, probability: 1 / (1 + Math.exp(-odds)) };
    });
    return { scans, spread };
  });
  if (!first) throw new Error("A population has a model.");
  return new Population([first, ...others]);
}

interface Lived {
  readonly plain: Quality | Population;
  readonly change?: Change & { readonly day: number };
  readonly rules?: Partial<typeof RULES>;
  readonly feedback?: number;
  readonly days?: number;
}

async function lived(seed: number, { plain, change, rules, feedback = 0, days = 60 }: Lived): Promise<Life> {
  const people = plain instanceof Population ? plain : population(plain);
  const challengers = [OTHER, THIRD].slice(0, (people.all()[0]?.answers.length ?? 1) - 1);
  const { due, hospital } = await simulatedRetraining(workspace, challengers, { ...RULES, ...rules });
  const promotions = await hospital(FIRST);
  try {
    return await live({
      ...{ days, scansPerDay: 40, seed, feedback, plain: people },
      models: [FIRST, ...challengers].map((id) => ({ id, threshold: 0.5 })),
      retraining: { due, promotions, testScans: 100 },
      ...(change ? { change } : {}),
    });
  } finally {
    await promotions.close();
  }
}

test("where pictures change, the alarm retrains, and whoever is shown to be better serves on: rightly", async () => {
  // The first model knows nothing of pictures of the new scanner, the other knows them as before.
  const change: Change = { kind: "pictures", population: population([0.5, 4], 1.5), share: 1 };
  const { retrainings, served, alarms, after } = await lived(2, {
    plain: [4, 4],
    change: { ...change, day: 10 },
    rules: { newScans: 150 },
    feedback: 0.5,
  });
  const rung = alarms.find(({ day }) => day >= 10);
  const first = retrainings.find(({ trigger, day }) => trigger === "alarm" && day >= 10);
  // On that day hardly a scan of the new scanner has been labelled, and tested on.
  expect(first).toMatchObject({ day: rung?.day, champion: FIRST, challenger: OTHER, promoted: false, worth: "missed" });
  const promoted = retrainings.find((one) => one.promoted);
  expect(promoted).toMatchObject({ challenger: OTHER, worth: "right" });
  expect(promoted?.decision).toMatch(/is shown to be better than the champion .*; on the frozen reference set/);
  expect(promoted?.test.came).toBeGreaterThan(0);
  expect(promoted?.after.challenger.auc ?? 0).toBeGreaterThan((promoted?.after.champion.auc ?? 1) + 0.2);
  expect(served.accuracy ?? 0).toBeGreaterThan((served.without ?? 1) + 0.1);
  // Told of the first model as long as it serves: the days after are no longer its.
  expect(after?.true).toBeLessThan(0.7);
  // All that there is serves: nothing more is retrained.
  expect(retrainings.at(-1)).toBe(promoted);
});

test("a worse one and an equal one are not promoted, however often the schedule brings them, in turns", async () => {
  for (const seed of [1, 2, 3]) {
    const { retrainings, served, alarms } = await lived(seed, {
      plain: [4, 2.5, 4],
      rules: { everyDays: 7 },
      feedback: 0.2,
    });
    // An alarm that is false may come between.
    retrainings.forEach(({ day, trigger }, i) => {
      if (trigger === "schedule") expect(day - (retrainings[i - 1]?.day ?? -1)).toBe(7);
      else expect(alarms.map((alarm) => alarm.day)).toContain(day);
    });
    expect(retrainings.length).toBeGreaterThanOrEqual(8);
    expect(retrainings.map(({ challenger }) => challenger)).toEqual(retrainings.map((_, i) => [OTHER, THIRD][i % 2]));
    expect(retrainings.map(({ promoted, clause }) => [promoted, clause])).toEqual(
      retrainings.map(() => [false, "comparison.superiority"]),
    );
    for (const { challenger, worth } of retrainings) if (challenger === OTHER) expect(worth).toBe("right");
    expect(served.accuracy).toBe(served.without);
    // The test set grows by the labelled scans that fell to it.
    const sizes = retrainings.map(({ test }) => test.scans - test.came);
    expect(new Set(sizes)).toEqual(new Set([100]));
    expect(retrainings.at(-1)?.test.came).toBeGreaterThan(retrainings[0]?.test.came ?? 0);
  }
});

test("over many lives a challenger is promoted where it is better, never where it is worse, and hardly where it is equal", async () => {
  // `LIVES=40 npx jest tests/runtime/cli/simulated-retraining.test.ts -t "many lives"` for the rates of docs/monitoring.md.
  const lives = Number(process.env.LIVES ?? 1);
  const feedback = Number(process.env.FEEDBACK ?? 0.5);
  const told: Record<
    string,
    { promoted: number; wrong: number; days: number[]; started: number; served: number; without: number }
  > = {};
  for (const [name, quality] of Object.entries({ better: [1, 4], equal: [1, 1], worse: [1, 0.5] } as const)) {
    const plain = population([4, 4]);
    const change = { kind: "pictures", population: population(quality, 1.5), share: 1, day: 40 } as const;
    const found = { promoted: 0, wrong: 0, days: [] as number[], started: 0, served: 0, without: 0 };
    for (let i = 0; i < lives; i++) {
      const life = await lived(1001 + i, {
        plain,
        change,
        rules: { everyDays: 30, newScans: 100 },
        feedback,
        days: 90,
      });
      const after = life.retrainings.filter(({ day }) => day >= 40);
      const promoted = after.filter((one) => one.promoted);
      found.started += after.length;
      found.promoted += promoted.length > 0 ? 1 : 0;
      found.wrong += promoted.filter(({ worth }) => worth === "wrong").length;
      found.days.push(...promoted.slice(0, 1).map(({ day }) => day - 40));
      found.served += (life.served.accuracy ?? 0) / lives;
      found.without += (life.served.without ?? 0) / lives;
    }
    told[name] = found;
  }
  if (lives > 1) process.stderr.write(`${JSON.stringify(told, null, 1)}\n`);
  const { better, equal, worse } = told;
  expect(worse?.promoted).toBe(0);
  expect(better?.promoted).toBeGreaterThanOrEqual(0.9 * lives);
  expect(better?.wrong).toBe(0);
  expect(better?.served ?? 0).toBeGreaterThan((better?.without ?? 1) + 0.03);
  // The plan's budget over all comparisons, a tenth, and chance.
  expect(equal?.promoted).toBeLessThanOrEqual(Math.ceil(0.2 * lives));
});

test("nothing rings, nothing is due: no retraining; and the workspace stays as it is", async () => {
  const before = await currentModel(workspace.buckets.models);
  expect((await lived(5, { plain: [4, 4], days: 5, rules: { everyDays: 30, newScans: 100 } })).retrainings).toEqual([]);
  const { retrainings } = await lived(5, { plain: [2, 5], days: 31, rules: { everyDays: 30 } });
  expect(retrainings).toMatchObject([{ day: 29, promoted: true, worth: "right" }]);
  expect(await currentModel(workspace.buckets.models)).toEqual(before);
});

test("only other models of the workspace challenge, each once", async () => {
  const asked = (...ids: readonly string[]) => simulatedRetraining(workspace, ids, RULES);
  await expect(asked("cnn-0")).rejects.toThrow(/There is no model cnn-0 in .*There are bright-spot-0001/);
  await expect(asked(OTHER, OTHER)).rejects.toThrow("bright-spot-0002 is named twice.");
  await expect(asked(FIRST)).rejects.toThrow("bright-spot-0001 is the current model: it challenges nobody.");
});
