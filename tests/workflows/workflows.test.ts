import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import manifest from "../../package.json";
import { DELIVERY_ENVIRONMENT } from "../../stacks/delivery-names";
import { LAST_WAVE } from "../../stacks/waves";

const ROOT = resolve(__dirname, "../..");

interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly if?: string;
  readonly needs?: string | readonly string[];
  readonly environment?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const read = <T>(path: string) => parse(readFileSync(join(ROOT, path), "utf8")) as T;
const FOLDER = ".github/workflows";
const workflows = new Map(readdirSync(join(ROOT, FOLDER)).map((name) => [name, read<Workflow>(`${FOLDER}/${name}`)]));
const workflow = (name: string): Workflow => workflows.get(name) ?? fail(name);
const fail = (name: string): never => {
  throw new Error(`There is no ${name}.`);
};

/** The steps of a job, with those of this repository's own actions in their place. */
const stepsOf = (steps: readonly Step[]): Step[] =>
  steps.flatMap((step) =>
    step.uses?.startsWith("./")
      ? [step, ...stepsOf(read<{ runs: { steps: Step[] } }>(`${step.uses}/action.yml`).runs.steps)]
      : [step],
  );
const jobs = [...workflows].flatMap(([file, { on, jobs, permissions }]) =>
  Object.entries(jobs).map(([name, job]) => ({
    name: `${file} ${name}`,
    on,
    job,
    permissions: job.permissions ?? permissions,
    steps: stepsOf(job.steps),
  })),
);

test.each(jobs)(
  "$name: runs what there is, puts no text of others into a script, and says what it may do",
  ({ job, permissions, steps }) => {
    expect(permissions).toBeDefined();
    expect(JSON.stringify(permissions)).not.toMatch(/write-all|contents":"write/);
    for (const { run = "", uses = "" } of steps) {
      // An expression's value would be run as part of the script; by the environment it comes as a text.
      expect(run.match(/\$\{\{.*?\}\}/g) ?? []).toEqual([]);
      for (const [, script = ""] of run.matchAll(/\bnpm run (?:-s )?([\w:-]+)/g))
        expect(Object.keys(manifest.scripts)).toContain(script);
      for (const [script] of run.matchAll(/(?:^|\s)\.ci\/\S+/g))
        expect(existsSync(join(ROOT, script.trim()))).toBe(true);
      if (uses !== "" && !uses.startsWith("./"))
        expect(uses).toMatch(/^[\w-]+\/[\w-]+@(?:v\d+(?:\.\d+)*|[0-9a-f]{40})$/);
      if (uses.startsWith("actions/checkout@"))
        expect(job.steps.find((step) => step.uses === uses)?.with).toMatchObject({ "persist-credentials": false });
    }
  },
);

test("no job that a pull request starts asks for an identity of a hospital", () => {
  const started = jobs.filter(({ on }) => "pull_request" in on);
  expect(started.length).toBeGreaterThan(0);
  for (const { steps } of started)
    for (const { run = "", env = {} } of steps)
      expect(`${run} ${JSON.stringify(env)}`).not.toMatch(/--identity|ACTIONS_ID_TOKEN/);
  for (const { on } of jobs) expect(on).not.toHaveProperty("pull_request_target");
  for (const name of ["deliver.yml", "drift.yml"])
    expect(
      Object.keys(workflow(name).on).filter((event) => !["push", "schedule", "workflow_dispatch"].includes(event)),
    ).toEqual([]);
  expect(workflow("deliver.yml").on.push).toEqual({ branches: ["main"] });
});

test("whoever has an identity cannot write to GitHub, and whoever can has none and runs none of our code", () => {
  const ours = jobs.filter(({ name }) => /^(?:deliver|drift)\.yml/.test(name));
  expect(ours.length).toBe(2 + 2 + LAST_WAVE);
  for (const { name, permissions = {}, steps } of ours) {
    const writes = Object.entries(permissions).filter(([what, right]) => right === "write" && what !== "id-token");
    if (permissions["id-token"] === "write") expect([name, writes]).toEqual([name, []]);
    else {
      expect(writes).toHaveLength(1);
      for (const { run = "", uses = "" } of steps) expect(`${run} ${uses}`).not.toMatch(/npm |node |checkout/);
    }
  }
});

describe("deliver.yml", () => {
  const { jobs: delivery, ...rest } = workflow("deliver.yml");

  test("has a job for every wave that a line may name, in the protected environment, each after all before", () => {
    const waves = Array.from({ length: LAST_WAVE }, (_, index) => index + 1);
    expect(Object.keys(delivery)).toEqual(["plan", "post", ...waves.map((wave) => `wave-${wave}`)]);
    for (const wave of waves) {
      const job = delivery[`wave-${wave}`] as Job;
      expect(job.environment).toBe(DELIVERY_ENVIRONMENT);
      expect(job.needs).toEqual(["plan", ...waves.filter((other) => other < wave).map((other) => `wave-${other}`)]);
      expect(job.if).toContain(`contains(fromJSON(needs.plan.outputs.waves), ${wave})`);
      // One that was left out because nobody is in it does not hold up the next; one that failed does.
      if (wave > 1) expect(job.if).toContain("!failure() && !cancelled() && needs.plan.result == 'success'");
      expect(job.steps.at(-1)).toMatchObject({ uses: "./.github/actions/deliver-wave", with: { wave: String(wave) } });
    }
    expect(rest).toMatchObject({ concurrency: { group: "deliver", "cancel-in-progress": false } });
  });

  test("deploys what was posted, and posts addresses and actions alone", () => {
    const uploads = jobs
      .flatMap(({ steps }) => steps)
      .filter(({ uses = "" }) => uses.startsWith("actions/upload-artifact@"));
    expect(uploads).toHaveLength(2);
    // A folder with a dot is left out without a word otherwise.
    for (const upload of uploads)
      expect(upload.with).toMatchObject({
        "include-hidden-files": true,
        path: ".rollout/review.json\n.rollout/review.md\n",
      });
    const scripts = stepsOf((delivery["wave-1"] as Job).steps).map(({ run = "" }) => run);
    expect(scripts.join("\n")).toMatch(
      /rollout -- plan --identity deploy --wave "\$WAVE" --expect reviewed\/review\.json/,
    );
    expect(scripts.join("\n")).toMatch(/rollout -- apply --identity deploy --wave "\$WAVE" --soak "\$SOAK"/);
  });
});
