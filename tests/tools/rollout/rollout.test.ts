import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { rollout } from "../../../tools/rollout";
import { type Check, watch } from "../../../tools/rollout/checks";
import { githubCredentials } from "../../../tools/rollout/credentials";
import { defaultParallelism } from "../../../tools/rollout/plan";
import { reviewMarkdown } from "../../../tools/rollout/report";
import { findTerraform } from "../../../tools/terraform";
import { captureOutput } from "../../support/captured-output";
import { Hospitals, type Line, thing } from "./hospitals";

const printed = captureOutput();
const ROOT = resolve(__dirname, "../../..");
const REAL = findTerraform();
const kept = { ...process.env };
const made: Hospitals[] = [];

function hospitals(lines: readonly Line[]): Hospitals {
  const all = new Hospitals(lines);
  made.push(all);
  process.env.STAND_IN_LOG = all.log;
  return all;
}

beforeEach(() => {
  process.env.TERRAFORM_BINARY_NAME = join(__dirname, "terraform-stand-in.js");
  process.env.CI = "true";
});
afterEach(() => {
  process.env = { ...kept };
});
afterAll(() => {
  for (const { folder } of made) rmSync(folder, { recursive: true, force: true });
});

/** Nothing is watched. */
const apply = (all: Hospitals, ...more: string[]) => rollout(all.apply(...more), { checks: [] });
const applied = (all: Hospitals) =>
  all.events().flatMap(({ command, event, stack }) => (command === "apply" && event === "begin" ? [stack] : []));

describe("a plan", () => {
  test("of every hospital is made by one init at a time, by no more plans at once than were asked for, and changes nothing", async () => {
    const all = hospitals(
      ["a1", "b1", "c1"].map((name) => ({ name, data: thing({ planMeets: 2 }), app: thing({ planMeets: 2 }) })),
    );
    expect(await rollout(all.plan("--parallel", "2"))).toBe(0);
    const most = (command: string) => {
      let [running, peak] = [0, 0];
      for (const event of all.events().filter((each) => each.command === command)) {
        running += event.event === "begin" ? 1 : -1;
        peak = Math.max(peak, running);
      }
      return peak;
    };
    expect(most("init")).toBe(1);
    expect(most("plan")).toBe(2);
    expect(readdirSync(all.path("states"))).toEqual([]);
    expect(printed()).toMatch(/1 {2}c1-data +1 +0 +0 +0/);
    expect(printed()).toContain("plan: 6/6");
  });

  test("never shows a value where others may read: not on the terminal, not in what is posted", async () => {
    const all = hospitals([
      {
        name: "a1",
        data: thing({ password: "planted-secret-4711" }),
        app: thing({ planFails: "/nowhere", token: "planted-secret-4712" }),
      },
    ]);
    expect(await rollout(all.plan())).toBe(1);
    const posted = ["review.md", "review.json", "rollout.json"].map((name) =>
      readFileSync(join(all.out, name), "utf8"),
    );
    for (const text of [printed(), ...posted]) expect(text).not.toContain("planted-secret");
    expect(posted[0]).toContain("create `google_logging_metric.thing`");
    expect(posted[0]).toContain("**a1-app could not be planned**: `google_logging_metric.thing`");
    // What Terraform itself said stays with whoever ran it.
    expect(readFileSync(join(all.out, "plans", "a1-data", "plan.json"), "utf8")).toContain("planted-secret-4711");
    expect(statSync(all.out).mode & 0o077).toBe(0);
    expect(statSync(join(all.out, "plans", "a1-data", "plan.json")).mode & 0o077).toBe(0);
  });

  test("that loses what holds state is refused by its address, and let through by it alone", async () => {
    const role = (location: string) => ({ google_project_iam_custom_role: { granter: { location } } });
    const all = hospitals([{ name: "a1", data: role("eu") }]);
    expect(await rollout(all.plan())).toBe(0);
    expect(await apply(all)).toBe(0);
    all.set([{ name: "a1", data: role("us") }]);
    expect(await rollout(all.plan())).toBe(1);
    const address = "a1-data:google_project_iam_custom_role.granter";
    expect(printed()).toContain(`if that is meant: --allow ${address}`);
    expect(await apply(all)).toBe(1);
    expect(await apply(all, "--allow", address.replace("a1", "b1"))).toBe(1);
    expect(all.state("a1-data").serial).toBe(1);
    expect(await apply(all, "--allow", address)).toBe(0);
    expect(all.state("a1-data").serial).toBe(2);
  });

  test("of a stack that the rule pack has something against is refused", async () => {
    const all = hospitals([{ name: "a1", data: { google_storage_bucket: { landing: { location: "eu" } } } }]);
    expect(await rollout(all.plan())).toBe(1);
    expect(printed()).toMatch(/a1-data: google_storage_bucket\.landing: .+\[bucket-/);
    expect(await apply(all)).toBe(1);
  });

  test("goes on after an interruption with what was planned, unless it has changed", async () => {
    const lines = ["a1", "b1", "c1"].map((name) => ({ name, data: thing({ wait: 20 }), app: thing() }));
    const all = hospitals(lines);
    const child = start(all.plan("--parallel", "1"));
    await until(
      () =>
        existsSync(all.log) &&
        all.events().filter(({ command, event }) => command === "plan" && event === "end").length >= 3,
    );
    child.kill("SIGINT");
    expect(await ended(child)).toBe(130);
    const before = all.events().filter(({ command }) => command === "plan").length;
    expect(JSON.parse(readFileSync(join(all.out, "rollout.json"), "utf8"))).toMatchObject({ planned: false });

    expect(await apply(all)).toBe(2);
    expect(printed()).toContain("was interrupted");
    all.set([{ ...(lines[0] as Line), data: thing({ changed: true }) }, ...lines.slice(1)]);
    expect(await rollout(all.plan("--parallel", "1"))).toBe(0);
    expect(printed()).toMatch(/[12] of 6 stacks were planned before the interruption/);
    const again = all
      .events()
      .filter(({ command }) => command === "plan")
      .slice(before)
      .filter(({ event }) => event === "begin");
    expect(again.map(({ stack }) => stack)).toContain("a1-data");
    expect(again.map(({ stack }) => stack)).not.toContain("a1-app");
  });

  test("of one hospital that fails does not stop the others, and nothing is applied", async () => {
    const all = hospitals([
      { name: "a1", data: thing({ planFails: "/nowhere" }) },
      { name: "b1", data: thing() },
    ]);
    expect(await rollout(all.plan())).toBe(1);
    expect(printed()).toContain("a1-data: Reading was refused");
    expect(printed()).toMatch(/b1-data +1 +0/);
    expect(await apply(all)).toBe(1);
    expect(printed()).toContain("a1-data could not be planned (google_logging_metric.thing).\nNothing was applied.");
    expect(readdirSync(all.path("states"))).toEqual([]);
  });

  test("that does what was not reviewed is refused", async () => {
    const all = hospitals([{ name: "a1", data: thing() }]);
    expect(await rollout(all.plan())).toBe(0);
    const reviewed = all.path("reviewed.json");
    writeFileSync(reviewed, readFileSync(join(all.out, "review.json")));
    expect(await rollout(all.plan("--expect", reviewed))).toBe(0);
    all.set([{ name: "a1", data: { google_logging_metric: { thing: {}, more: {} } } }]);
    expect(await rollout(all.plan("--expect", reviewed))).toBe(1);
    expect(printed()).toContain(
      "a1-data would create google_logging_metric.more, which the plan that was reviewed would not.",
    );
    writeFileSync(reviewed, "{}");
    expect(await rollout(all.plan("--expect", reviewed))).toBe(2);
  });

  test("is refused for a prod hospital whose state is a file on one machine", async () => {
    const all = hospitals([{ name: "a1", tier: "prod" }]);
    expect(await rollout(all.plan())).toBe(2);
    expect(printed()).toContain('Hospital "a1" is of tier prod, and its state is a file');
  });
});

describe("an apply", () => {
  test("goes wave by wave, data before app, and a wave begins when the one before has passed its checks", async () => {
    const all = hospitals([
      { name: "last", wave: 3, data: thing(), app: thing() },
      { name: "early", wave: 1, data: thing(), app: thing() },
      { name: "also", wave: 1, data: thing(), app: thing() },
    ]);
    const seen: string[] = [];
    const check: Check = {
      name: "look",
      run: async ({ hospital }) => {
        seen.push(`${hospital.name} after ${applied(all).length}`);
        return [];
      },
    };
    expect(await rollout(all.plan())).toBe(0);
    expect(await rollout(all.apply(), { checks: [check] })).toBe(0);
    expect(applied(all)).toEqual(["early-data", "early-app", "also-data", "also-app", "last-data", "last-app"]);
    expect(seen).toEqual(["early after 4", "also after 4", "last after 6"]);
    expect(printed()).toContain("Rolled out: 3 hospitals.");
  });

  test("of a wave whose second hospital fails stops there, says where, and goes on from there", async () => {
    const all = hospitals([
      { name: "a1", data: thing(), app: thing() },
      { name: "b1", data: thing(), app: { google_logging_metric: { first: {}, second: {} } } },
      { name: "c1", data: thing() },
      { name: "d1", wave: 2, data: thing() },
    ]);
    const flag = all.path("flag");
    all.set([
      { name: "a1", data: thing(), app: thing() },
      { name: "b1", data: thing(), app: { google_logging_metric: { first: {}, second: { fail: flag } } } },
      { name: "c1", data: thing() },
      { name: "d1", wave: 2, data: thing() },
    ]);
    expect(await rollout(all.plan())).toBe(0);
    expect(await apply(all)).toBe(1);
    expect(printed()).toContain(
      "Stopped in wave 1 at hospital b1, stack b1-app, google_logging_metric.second:\n  Google said no",
    );
    expect(printed()).toContain("Not begun: c1, d1.");
    expect(applied(all)).toEqual(["a1-data", "a1-app", "b1-data", "b1-app"]);
    expect(Object.keys(all.state("b1-app").resources)).toEqual(["google_logging_metric.first"]);

    // It is not left out, however often it is tried.
    expect(await apply(all)).toBe(1);
    expect(applied(all).slice(4)).toEqual(["b1-app"]);
    all.touch("flag");
    expect(await apply(all)).toBe(0);
    expect(applied(all).slice(5)).toEqual(["b1-app", "c1-data", "d1-data"]);
    expect(printed()).toContain("b1-app: planning it again, since its plan was begun or is not whole.");
    expect(Object.keys(all.state("b1-app").resources)).toHaveLength(2);
  });

  test("that is killed in the middle plans the half-applied hospital again and leaves nothing out", async () => {
    const all = hospitals([]);
    const second = { applyUntil: all.path("flag") };
    all.set([
      { name: "a1", data: { google_logging_metric: { first: {}, second } }, app: thing() },
      { name: "b1", data: thing() },
    ]);
    expect(await rollout(all.plan())).toBe(0);
    const child = start(all.apply());
    await until(() => existsSync(all.path("states/terraform.a1-data.tfstate")));
    child.kill("SIGKILL");
    await ended(child);
    expect(JSON.parse(readFileSync(join(all.out, "rollout.json"), "utf8")).stacks["a1-data"].status).toBe("applying");
    // Terraform has a session of its own: it comes to its end.
    all.touch("flag");
    await until(() => all.events().some(({ command, event }) => command === "apply" && event === "end"));
    expect(await apply(all)).toBe(0);
    expect(printed()).toContain("a1-data: planning it again");
    expect(Object.keys(all.state("a1-data").resources)).toHaveLength(2);
    expect(applied(all)).toEqual(["a1-data", "a1-app", "b1-data"]);
  });

  test("that is interrupted ends its children and exits with 130", async () => {
    const all = hospitals([]);
    all.set([
      { name: "a1", data: thing({ applyUntil: all.path("flag") }), app: thing() },
      { name: "b1", data: thing() },
    ]);
    expect(await rollout(all.plan())).toBe(0);
    const child = start(all.apply());
    await until(() => existsSync(all.log) && applied(all).length === 1);
    child.kill("SIGINT");
    expect(await ended(child)).toBe(130);
    expect(existsSync(join(all.out, "rollout.lock"))).toBe(false);
    expect(applied(all)).toEqual(["a1-data"]);
    all.touch("flag");
    expect(await apply(all)).toBe(0);
    expect(Object.keys(all.state("a1-data").resources)).toHaveLength(1);
  });

  test("applies what was planned and nothing else: neither another synth nor another state nor another plan file", async () => {
    const all = hospitals([
      { name: "a1", data: thing() },
      { name: "b1", data: thing() },
    ]);
    expect(await rollout(all.plan())).toBe(0);
    all.set([
      { name: "a1", data: thing({ other: 1 }) },
      { name: "b1", data: thing() },
    ]);
    expect(await apply(all)).toBe(2);
    expect(printed()).toContain("It is not of what would be deployed now: a1-data has changed since. Plan again.");

    all.set([
      { name: "a1", data: thing() },
      { name: "b1", data: thing() },
    ]);
    writeFileSync(all.path("states/terraform.a1-data.tfstate"), JSON.stringify({ serial: 7, resources: {} }));
    expect(await apply(all)).toBe(1);
    expect(printed()).toContain("Something else has changed this stack since it was planned.");

    writeFileSync(join(all.out, "plans", "b1-data", "plan.bin"), JSON.stringify({ serial: 0, changes: [] }));
    expect(await apply(all)).toBe(0);
    expect(printed()).toContain("b1-data: planning it again");
    expect(Object.keys(all.state("b1-data").resources)).toHaveLength(1);
  });

  test("stops where a plan that has to be made again has more in it than was agreed to, however often it is tried", async () => {
    const all = hospitals([{ name: "a1", data: thing() }]);
    expect(await rollout(all.plan())).toBe(0);
    writeFileSync(
      all.path("states/terraform.a1-data.tfstate"),
      JSON.stringify({ serial: 3, resources: { "google_logging_metric.own": { location: "x" } } }),
    );
    writeFileSync(join(all.out, "plans", "a1-data", "plan.bin"), "another plan");
    for (let time = 0; time < 2; time++) {
      expect(await apply(all)).toBe(1);
      expect(printed()).toContain("what was not agreed to: delete google_logging_metric.own.");
      expect(applied(all)).toEqual([]);
    }
    expect(await rollout(all.plan())).toBe(0);
    expect(await apply(all)).toBe(0);
    expect(Object.keys(all.state("a1-data").resources)).toHaveLength(1);
  });

  test("of a later wave waits for the earlier one", async () => {
    const all = hospitals([
      { name: "a1", data: thing() },
      { name: "b1", wave: 2, data: thing() },
    ]);
    expect(await rollout(all.plan())).toBe(0);
    expect(await apply(all, "--wave", "2")).toBe(2);
    expect(printed()).toContain("--wave is 2, and wave 1 has not been applied and passed its checks; it comes first.");
    expect(await apply(all, "--wave", "1")).toBe(0);
    expect(await apply(all, "--wave", "2")).toBe(0);
    expect(applied(all)).toEqual(["a1-data", "b1-data"]);
  });

  test("stops at a hospital that does not pass its checks, and looks again when it goes on", async () => {
    const all = hospitals([
      { name: "a1", data: thing() },
      { name: "b1", wave: 2, data: thing() },
    ]);
    const ok = all.path("ok");
    expect(await rollout(all.plan())).toBe(0);
    const command = `test "$HOSPITAL/$PROJECT/$WAVE" = a1/project-a1/1 -o "$HOSPITAL" = b1 || exit 3; test -e ${ok} || { echo it does not answer >&2; exit 1; }`;
    expect(await rollout(all.apply("--check", command))).toBe(1);
    expect(printed()).toContain(`Stopped in wave 1 at hospital a1:\n  The check "command" was not passed:`);
    expect(printed()).toContain("it does not answer");
    all.touch("ok");
    expect(await rollout(all.apply("--check", command))).toBe(0);
    expect(applied(all)).toEqual(["a1-data", "b1-data"]);
  });

  test("does not pass a wave that another plan would change again", async () => {
    const all = hospitals([{ name: "a1", data: thing() }]);
    expect(await rollout(all.plan())).toBe(0);
    const undo = `echo '{"serial":9,"resources":{}}' > ${all.path("states/terraform.a1-data.tfstate")}`;
    expect(await rollout(all.apply("--check", undo))).toBe(1);
    expect(printed()).toContain("a1-data was applied, and another plan would change it again.");
  });
});

describe("the folder of a roll-out", () => {
  test("is one process's at a time; one whose process is gone is taken over", async () => {
    const all = hospitals([]);
    all.set([{ name: "a1", data: thing({ planUntil: all.path("flag") }) }]);
    const first = start(all.plan());
    await until(() => existsSync(join(all.out, "rollout.lock")));
    expect(await rollout(all.plan())).toBe(2);
    expect(printed()).toContain(`is in use by process ${first.pid}`);
    first.kill("SIGKILL");
    await ended(first);
    all.touch("flag");
    expect(existsSync(join(all.out, "rollout.lock"))).toBe(true);
    expect(await rollout(all.plan())).toBe(0);
    expect(existsSync(join(all.out, "rollout.lock"))).toBe(false);
  });

  test("of five at once goes to one", async () => {
    const all = hospitals([{ name: "a1", data: thing({ wait: 800 }) }]);
    // Left behind by a process that is gone: all five find it.
    mkdirSync(all.out);
    writeFileSync(
      join(all.out, "rollout.lock"),
      JSON.stringify({ pid: 2 ** 22 + 1, host: require("node:os").hostname(), began: "1" }),
    );
    const codes = await Promise.all(Array.from({ length: 5 }, () => ended(start(all.plan()))));
    expect(codes.filter((code) => code === 2).length).toBe(5 - codes.filter((code) => code === 0).length);
    const plans = all.events().filter(({ command, stack }) => command === "plan" && stack === "a1-data");
    for (const [index, { event }] of plans.entries()) expect(event).toBe(index % 2 === 0 ? "begin" : "end");
  });

  test("that is damaged says so", async () => {
    const all = hospitals([{ name: "a1" }]);
    mkdirSync(all.out);
    writeFileSync(join(all.out, "rollout.json"), "{");
    expect(await apply(all)).toBe(2);
    expect(printed()).toContain("is damaged or of another version: delete");
  });
});

test.each([
  [["destroy"], '"destroy" is neither plan nor apply nor status.'],
  [["plan", "--wave", "0"], '--wave is "0"; it must be a whole number from 1 to 5.'],
  [["plan", "--parallel", "many"], '--parallel is "many"'],
  [["apply", "--soak", "soon"], '--soak is "soon"; it must be a time such as 90s, 30m or 2h.'],
  [["apply", "--allow", "bucket"], '--allow is "bucket"; it must be STACK:ADDRESS.'],
  [["plan", "--identity", "root"], '--identity is "root"; it must be plan or deploy.'],
])("npm run rollout -- %p is wrong usage", async (args, sentence) => {
  expect(await rollout([...args, "--out", join(ROOT, "dist", "no-rollout-here")])).toBe(2);
  expect(printed()).toContain(sentence);
});

test("as many plans at once as cores and free memory allow, and at least one", () => {
  const gib = 2 ** 30;
  expect(defaultParallelism(8, 64 * gib)).toBe(8);
  expect(defaultParallelism(8, 2 * gib)).toBe(4);
  expect(defaultParallelism(8, gib / 4)).toBe(1);
});

describe("what is watched", () => {
  const member = { hospital: { name: "a1" }, wave: 1 } as never;

  test("is looked at again and again until the time is over, what belongs to the end only then", async () => {
    const looked: string[] = [];
    const check = (name: string, when?: "end"): Check => ({
      name,
      ...(when ? { when } : {}),
      run: async () => {
        looked.push(name);
        return [];
      },
    });
    expect(
      await watch([member], [check("often"), check("end", "end")], 250, new AbortController().signal, 100),
    ).toBeUndefined();
    expect(looked.filter((name) => name === "often").length).toBeGreaterThanOrEqual(3);
    expect(looked.filter((name) => name === "end")).toEqual(["end"]);
    expect(looked.at(-1)).toBe("end");
  });

  test("is not passed by what cannot be looked at", async () => {
    const broken: Check = {
      name: "broken",
      run: async () => {
        throw new Error("gcloud is not on PATH.");
      },
    };
    expect(await watch([member], [broken], 0, new AbortController().signal)).toMatchObject({
      check: "broken",
      sentences: ["gcloud is not on PATH."],
    });
  });
});

describe("what is posted", () => {
  const plan = (address: string) => ({
    changes: [{ address, actions: ["create"] }],
    losses: [],
    findings: 0,
    cost: null,
  });

  test("puts hospitals that change alike together, and fits into a comment", () => {
    const stack = (name: string, address: string) =>
      [`${name}-data`, { hospital: name, wave: 1, part: "data", status: "planned", plan: plan(address) }] as const;
    const alike = Array.from({ length: 100 }, (_, index) => stack(`h${index}`, "google_x.y"));
    const text = reviewMarkdown({ stacks: Object.fromEntries(alike) } as never, "Plan");
    expect(text).toContain("100 stacks alike: h0-data, h1-data");
    expect(text.match(/google_x\.y/g)).toHaveLength(1);
    const different = Array.from({ length: 2000 }, (_, index) =>
      stack(`h${index}`, `google_x.y${"z".repeat(40)}${index}`),
    );
    const cut = reviewMarkdown({ stacks: Object.fromEntries(different) } as never, "Plan");
    expect(cut.length).toBeLessThan(65_000);
    expect(cut).toContain("The rest is in the artifact of the run.");
  });

  test("cannot be made to say something else by an address", () => {
    const stacks = {
      "a1-data": {
        hospital: "a1",
        wave: 1,
        part: "data",
        status: "planned",
        plan: plan("x`</summary>\n# All is well"),
      },
    };
    const text = reviewMarkdown({ stacks } as never, "Plan");
    expect(text).not.toMatch(/^# All is well/m);
    expect(text).toContain("`x??/summary??# All is well`");
  });
});

describe("credentials of a hospital's own identity", () => {
  const platform = { projectNumber: "100000000009" } as never;
  const variables = {
    ACTIONS_ID_TOKEN_REQUEST_URL: "https://token.example/?api-version=2.0",
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: "t",
  };

  test("say where the job's token is had, hold no key, and are a hospital's each", () => {
    const all = hospitals([]);
    const of = githubCredentials([{ name: "a1", project: "project-a1" }], platform, "plan", all.path("c"), variables);
    const file = of("a1").GOOGLE_APPLICATION_CREDENTIALS as string;
    expect(of("a1").CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE).toBe(file);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      type: "external_account",
      audience:
        "//iam.googleapis.com/projects/100000000009/locations/global/workloadIdentityPools/brain-tumor-delivery/providers/github",
      service_account_impersonation_url: expect.stringContaining(
        "/serviceAccounts/a1-plan@project-a1.iam.gserviceaccount.com:",
      ),
      credential_source: {
        url: expect.stringContaining("api-version=2.0&audience=https%3A%2F%2Fiam.googleapis.com%2Fprojects%2F"),
      },
    });
    expect(() => of("b1")).toThrow("no credentials for b1");
  });

  test("are to be had in a job of GitHub alone", async () => {
    const all = hospitals([{ name: "a1" }]);
    expect(await rollout(all.plan("--identity", "plan"))).toBe(2);
    expect(printed()).toContain("--identity is for a job of GitHub Actions");
  });
});

const withTerraform = REAL === undefined ? describe.skip : describe;
withTerraform("with Terraform itself", () => {
  test("a wave whose second hospital fails stops there; resumed, it goes on from there", async () => {
    process.env.TERRAFORM_BINARY_NAME = REAL;
    const data = (input: string) => ({ terraform_data: { thing: { input } } });
    const all = hospitals([]);
    const flag = all.path("flag");
    const failing = {
      input: "x",
      depends_on: ["terraform_data.thing"],
      provisioner: { "local-exec": { command: `test -e ${flag}` } },
    };
    all.set([
      { name: "a1", data: data("a"), app: data("a") },
      {
        name: "b1",
        data: data("planted-secret-4713"),
        app: { terraform_data: { thing: { input: "b" }, service: failing } },
      },
      { name: "c1", data: data("c"), app: data("c") },
    ]);
    expect(await rollout(all.plan())).toBe(0);
    expect(await apply(all)).toBe(1);
    expect(printed()).toMatch(
      /Stopped in wave 1 at hospital b1, stack b1-app, terraform_data\.service:\n {2}local-exec provisioner error/,
    );
    expect(printed()).toContain("Not begun: c1.");
    expect(existsSync(all.path("states/terraform.c1-data.tfstate"))).toBe(false);
    all.touch("flag");
    // The checks of real Terraform: a further plan has nothing to change.
    expect(await rollout(all.apply("--check", "true"))).toBe(0);
    expect(printed()).toMatch(/Wave 1 has passed "ready", "answers", "command", "no change left"/);
    expect(readdirSync(all.path("states")).filter((name) => name.endsWith(".tfstate"))).toHaveLength(6);
    for (const name of ["review.md", "review.json", "rollout.json"])
      expect(readFileSync(join(all.out, name), "utf8")).not.toContain("planted-secret");
    expect(printed()).not.toContain("planted-secret");
  });

  test("a plan that was overtaken is refused", async () => {
    process.env.TERRAFORM_BINARY_NAME = REAL;
    const all = hospitals([{ name: "a1", data: { terraform_data: { thing: { input: "a" } } } }]);
    expect(await rollout(all.plan())).toBe(0);
    const stack = all.path("synthesized/stacks/a1-data");
    execFileSync(REAL as string, ["apply", "-auto-approve", "-input=false"], { cwd: stack, stdio: "ignore" });
    expect(await apply(all)).toBe(1);
    expect(printed()).toContain("Something else has changed this stack since it was planned.");
    expect(await apply(all)).toBe(0);
  });
});

/** The command in a process of its own, which can be killed. */
function start(args: readonly string[]): ChildProcess {
  const main = join(ROOT, "dist", "tools", "rollout", "index.js");
  return spawn(process.execPath, [main, ...args], { stdio: "ignore", env: process.env });
}

const ended = (child: ChildProcess) =>
  new Promise<number | null>((settle) => {
    if (child.exitCode !== null || child.signalCode !== null) settle(child.exitCode);
    else child.once("exit", settle);
  });

/** Waits for it; the test's own time limit ends it otherwise. */
async function until(found: () => boolean): Promise<void> {
  while (!found()) await wait(20);
}
