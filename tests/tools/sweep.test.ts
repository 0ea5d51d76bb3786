import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownershipProblems } from "../../tools/environment-proof";
import { statesInFolder } from "../../tools/environment-states";
import { type Environment, type InventoryItem, survey } from "../../tools/environments";
import type { Runner } from "../../tools/gcloud";
import { type Destroy, sweep } from "../../tools/sweep";
import type { SynthesizedStack } from "../../tools/synthesized";
import { TIER_HOSPITALS, withTierStacks } from "../../tools/tiers";
import {
  DOOMED,
  day,
  FOREIGN,
  HOSPITALS,
  type Json,
  random,
  resource,
  SPARED,
  stateText,
  World,
} from "./planted-environments";

/** What the command printed since it was last asked; answers and remarks apart. */
function captured(): { out: () => string; err: () => string } {
  const texts = { stdout: "", stderr: "" };
  beforeEach(() => {
    for (const stream of ["stdout", "stderr"] as const) {
      texts[stream] = "";
      jest.spyOn(process[stream], "write").mockImplementation((text) => {
        texts[stream] += String(text);
        return true;
      });
    }
  });
  afterEach(() => jest.restoreAllMocks());
  const take = (stream: "stdout" | "stderr") => {
    const text = texts[stream];
    texts[stream] = "";
    return text;
  };
  return { out: () => take("stdout"), err: () => take("stderr") };
}

const { out, err } = captured();
const never: Runner = (command) => {
  throw new Error(`"${command.join(" ")}" was run.`);
};

/** Every stack of every tier with what would be in its state. */
const TIERS = withTierStacks(undefined, (stacks) => new Map(stacks.map((stack) => [stack.name, applied(stack)])));
const EXAMPLE = {
  project: "example-ci",
  projectNumber: "100000000003",
  platformProject: "example-platform",
  hospitals: TIER_HOSPITALS,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sweep-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const TODAY = "2026-03-01";

/** The command line that looks at a world, and touches nothing outside it. */
function argsFor(world: World, action: string, ...more: string[]): string[] {
  const inventory = join(world.folder, "inventory.json");
  const hospitals = join(world.folder, "hospitals.json");
  writeFileSync(inventory, JSON.stringify(world.inventory));
  writeFileSync(hospitals, JSON.stringify(HOSPITALS));
  const options = { project: world.project, inventory, hospitals, state: world.folder, today: world.today };
  return [action, ...Object.entries(options).flatMap(([key, value]) => [`--${key}`, value]), ...more];
}

const namesIn = (json: string) => (JSON.parse(json) as Environment[]).map(({ name }) => name);

/** Stands for Terraform: afterwards the states that it was given have nothing in them. */
const emptying =
  (destroyed: string[]): Destroy =>
  ({ environment }) => {
    destroyed.push(environment.name);
    for (const { place } of environment.states) writeFileSync(place, stateText([]));
  };

/** Destroys what a world has to lose, exactly that, and then nothing more. */
async function sweepsExactly(world: World): Promise<void> {
  const doomed = [...world.doomed].sort();
  expect(await sweep(argsFor(world, "list", "--json"), never)).toBe(0);
  expect(namesIn(out())).toEqual(doomed);
  const said = err();
  for (const words of world.sentences) expect(said).toContain(words);
  const foreign = FOREIGN.length;
  expect(said).toContain(`of which ${world.inventory.length - foreign} carry the labels`);

  expect(await sweep(argsFor(world, "destroy", "--dry-run", "--json"), never, never as never)).toBe(0);
  expect(namesIn(out())).toEqual(doomed);

  const destroyed: string[] = [];
  await sweep(argsFor(world, "destroy"), never, emptying(destroyed));
  expect(destroyed.sort()).toEqual(doomed);
  const gone = new Set(doomed);
  const rest = world.inventory.filter((item) => !gone.has(String((item as InventoryItem | null)?.labels?.hospital)));
  world.inventory.splice(0, world.inventory.length, ...rest);
  await sweep(argsFor(world, "destroy"), never, emptying(destroyed));
  expect(destroyed).toHaveLength(doomed.length);
  out();
  err();
}

/** The way to a state that lies about one bucket of a hospital of another project. */
test("holds no bucket for an environment's where a hospital's begins the same", () => {
  const owner = {
    ...EXAMPLE,
    project: "bts-ci",
    hospitals: [{ name: "gate", project: "bts-ci-run-1" }],
    platformProject: "bts-ci-run-2",
    environments: [],
  };
  const problems = (id: string, bucket: string) =>
    ownershipProblems({ address: "o", type: "google_storage_bucket_object", attributes: { bucket } }, { ...owner, id });
  expect(problems("run-1", "bts-ci-run-1-landing")).toEqual([]);
  expect(problems("run-1", "bts-ci-run-1-gate-landing")).toHaveLength(1);
  expect(problems("run-2", "bts-ci-run-2-platform-state")).toHaveLength(1);
});

/** Ids that begin with each other, with a hospital's name, and one as long as may be. */
const IDS = [
  "pr-1",
  "pr-12",
  "pr-123",
  "pr",
  "st-anna-2",
  "mercy-x",
  "st",
  "landing-1",
  "a-name-that-is-30-letters-long",
  "trial-2",
];

const plant = (world: World, kind: string, id: string) => {
  const dooming = DOOMED[kind];
  if (dooming) {
    dooming(world, id);
    world.doomed.push(id);
  } else world.sentences.push((SPARED[kind] as (world: World, id: string) => string)(world, id));
};

describe("npm run sweep", () => {
  test.each([...Object.keys(DOOMED), ...Object.keys(SPARED)])("deals with environments %s", async (kind) => {
    const world = new World(folder, "bts-ci", TODAY, random(1));
    world.inventory.push(...FOREIGN);
    // As many as there are wrong ids, dates and texts to draw from, and half as many again.
    for (const id of [...IDS, ...Array.from({ length: 24 }, (_, n) => `run-${n}`)]) plant(world, kind, id);
    await sweepsExactly(world);
  });

  test.each(Array.from({ length: 30 }, (_, seed) => seed))(
    "takes exactly what it should of planted world %i",
    async (seed) => {
      const draw = random(4711 + seed);
      const today = day("2026-01-01", Math.floor(draw() * 1500));
      const world = new World(
        folder,
        ["bts-ci", "example-ci", "a-project-of-30-characters-xyz"][seed % 3] as string,
        today,
        draw,
      );
      world.inventory.push(...FOREIGN);
      const kinds = [...Object.keys(DOOMED), ...Object.keys(SPARED)];
      const ids = [...IDS, ...Array.from({ length: 20 }, (_, n) => `run-${seed}${n}`)];
      for (const id of ids.filter(() => draw() < 0.6)) plant(world, world.pick(kinds), id);
      await sweepsExactly(world);
    },
  );

  test("takes a real environment, with everything that its stacks make", () => {
    for (const [name, resources] of TIERS)
      if (name.startsWith("ephemeral-")) {
        const path = join(folder, "ci-env", "ephemeral", name);
        mkdirSync(path, { recursive: true });
        writeFileSync(join(path, "default.tfstate"), stateText(resources));
      }
    const found = survey({ listing: statesInFolder(folder), inventory: [], today: "2027-01-31", owner: EXAMPLE });
    expect(found).toMatchObject({ doubtful: [], left: [], living: [] });
    expect(found.expired).toMatchObject([{ name: "ephemeral", expiresAt: "2027-01-31", region: "europe-west4" }]);
    expect(found.expired[0]?.resources).toBeGreaterThan(100);
  });

  test("takes nothing of a hospital's or the platform's stacks, whatever folder they are put in", () => {
    const owner = { ...EXAMPLE, id: "prod", environments: ["prod"] };
    const lasting = [...TIERS].filter(([name]) => !name.startsWith("ephemeral-"));
    expect(lasting).toHaveLength(6);
    const taken = lasting.flatMap(([stack, resources]) =>
      resources.flatMap(({ type, name, instances }) => {
        const [{ attributes }] = instances as [{ attributes: Json }];
        const thing = { address: `${type}.${name}`, type: String(type), attributes };
        return ownershipProblems(thing, owner).length === 0 ? [`${stack}: ${thing.address}`] : [];
      }),
    );
    expect(taken).toEqual([]);
  });

  test("says which labels and which states it looked for where there is nothing", async () => {
    const world = new World(folder, "bts-ci", TODAY, random(1));
    world.inventory.push(...FOREIGN);
    expect(await sweep(argsFor(world, "list"), never)).toBe(0);
    expect(out()).toContain(`No ephemeral environment in bts-ci has expired by ${TODAY}.`);
    expect(err()).toBe(
      `Looked at 0 states below ${join(folder, "ci-env")}, and at ${FOREIGN.length} resources in the inventory, of which 0 carry the labels hospital=ID, env=ephemeral and managed-by=cdktf.\n`,
    );
  });

  test("goes on after a failure, and prints nothing that steers a terminal", async () => {
    const world = new World(folder, "bts-ci", TODAY, random(1));
    for (const id of ["pr-1", "pr-2"]) plant(world, "whole", id);
    world.inventory.push({ name: "x", labels: world.labels("\u001b[2J\u009bpr\n", TODAY) });
    const destroyed: string[] = [];
    const code = await sweep(argsFor(world, "destroy"), never, ({ environment: { name } }) => {
      destroyed.push(name);
      if (name === "pr-1") throw new Error("the state is\u001b[2J locked");
    });
    expect(code).toBe(1);
    expect(destroyed).toEqual(["pr-1", "pr-2"]);
    expect(out()).toMatch(/pr-1 +\d{4}-\d{2}-\d{2} +europe-west1 +\d+ +pr-1-app, pr-1-data/);
    const said = err();
    expect(said).toContain("pr-1: the state is?[2J locked");
    expect(said).toContain("pr-2 is gone.");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(said).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  test.each<[string[], RegExp]>([
    [["sweep"], /neither list nor destroy/],
    [[], /missing required argument/],
    [["list", "--today", "31.1.2027"], /--today is "31.1.2027"/],
    [["list", "--today", "2026-02-31"], /--today is "2026-02-31"/],
    [["destroy", "--project", "bts-st-anna"], /is that of hospital "st-anna"/],
    [["destroy", "--project", "bts-platform"], /is the platform's/],
    [["destroy", "--project", "../x"], /The project is "..\/x"/],
    [["list", "--state", "/nowhere"], /--state is "\/nowhere", which is no folder/],
    [["list", "--hospitals", "/nowhere.json"], /does not exist/],
    [["list", "--state", ".", "--inventory", "package.json"], /is not a list/],
  ])("%j is wrong usage", async (args, sentence) => {
    expect(await sweep(args, never, never as never)).toBe(2);
    expect(err()).toMatch(sentence);
  });

  test("reads the bucket of the project, and the current states in it alone", async () => {
    const world = new World(folder, "bts-ci", TODAY, random(3));
    const objects: Record<string, string> = {
      "ci-env/pr-1/pr-1-data/default.tfstate": stateText(world.data("pr-1", "2026-01-01")),
      "ci-env/pr-1/pr-1-data/default.tflock": "{}",
      "ci-env/pr-2/../st-anna-data/default.tfstate": "never read",
      "ci-env/../st-anna-data/default.tfstate": "never read",
      "st-anna-data/default.tfstate": "never read",
    };
    const listed = [
      ...Object.keys(objects).map((name) => ({ name })),
      { name: "ci-env/pr-3/pr-3-data/default.tfstate", noncurrent_time: "2026-01-01" },
    ];
    const ran: string[] = [];
    const run: Runner = (command) => {
      const line = command.join(" ");
      ran.push(line);
      if (line.includes("objects list")) return JSON.stringify(listed);
      const text = objects[String(command.at(-1)).replace("gs://bts-ci-ci-state/", "")];
      return text ?? "[]";
    };
    expect(await sweep(["list", "--project", "bts-ci", "--today", TODAY, "--json"], run)).toBe(0);
    expect(JSON.parse(out())).toMatchObject([
      {
        name: "pr-1",
        states: [
          { stack: "pr-1-data", place: "gs://bts-ci-ci-state/ci-env/pr-1/pr-1-data/default.tfstate", resources: 2 },
        ],
      },
    ]);
    expect(ran.filter((line) => line.includes("storage cat"))).toEqual([
      "gcloud storage cat gs://bts-ci-ci-state/ci-env/pr-1/pr-1-data/default.tfstate",
    ]);
    expect(err()).toContain('lies below "..", which no environment is called');
  });
});

/** What a stack's resources are in a state: references followed to what they would be. */
function applied({ json }: SynthesizedStack): Json[] {
  const types = json.resource as Record<string, Record<string, Json>>;
  const attribute = (type: string, id: string, key: string): string => {
    const config = types[type]?.[id] ?? {};
    const email = `${config.account_id}@${config.project}.iam.gserviceaccount.com`;
    if (type === "google_service_account" && key === "member") return `serviceAccount:${email}`;
    if (type === "google_service_account" && key === "name")
      return `projects/${config.project}/serviceAccounts/${email}`;
    if (key === "id") return `projects/${config.project}/things/${config.name ?? id}`;
    return String(config[key] ?? id);
  };
  const follow = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(follow);
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, follow(item)]));
    if (typeof value !== "string") return value;
    return value.replace(/\$\{(google_\w+)\.([\w-]+)\.(\w+)\}/g, (_, type: string, id: string, key: string) =>
      String(follow(attribute(type, id, key))),
    );
  };
  return Object.entries(types).flatMap(([type, instances]) =>
    Object.entries(instances).map(([name, config]) => resource(type, name, follow(config) as Json)),
  );
}
