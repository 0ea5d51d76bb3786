import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { destroyEnvironment, type TerraformRunner, type Tools } from "../../tools/destroy-environment";
import type { Runner } from "../../tools/gcloud";
import { type Destroy, sweep } from "../../tools/sweep";
import { readStacks } from "../../tools/synthesized";
import { findTerraform } from "../../tools/terraform";
import { captureOutput } from "../support/captured-output";
import { type GcsServer, startGcsServer } from "../support/gcs-server";
import { type Json, random, resource, stateText, World } from "./planted-environments";

const printed = captureOutput();
const TODAY = "2026-03-01";
/** Over for more than a day, so that no deploy would take it. */
const OVER = "2026-01-15";
const BUCKET = "bts-ci-ci-state";

let folder: string;
let world: World;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "destroy-"));
  world = new World(folder, "bts-ci", TODAY, random(1));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const through =
  (tools: Partial<Tools>): Destroy =>
  (options, given) =>
    destroyEnvironment(options, { ...given, ...tools });

/** A plan that deletes what a state says is there, and what else it is told. */
const planOf = (state: string, more: readonly Json[] = []): string => {
  const { resources } = JSON.parse(state) as {
    resources: { type: string; name: string; instances: { attributes: Json }[] }[];
  };
  const deletes = resources.map(({ type, name, instances }) => ({
    address: `${type}.${name}`,
    mode: "managed",
    type,
    change: { actions: ["delete"], before: instances[0]?.attributes, after: null },
  }));
  return JSON.stringify({ format_version: "1.2", resource_changes: [...deletes, ...more] });
};

/** Writes down what would be done, in its order. */
function recording(plans: (stack: string) => string): {
  terraform: TerraformRunner;
  run: Runner;
  done: string[];
  json: Map<string, Json>;
} {
  const done: string[] = [];
  const json = new Map<string, Json>();
  return {
    done,
    json,
    terraform: (args, cwd) => {
      const stack = basename(cwd);
      done.push(`${stack}: ${args.join(" ")}`);
      json.set(stack, JSON.parse(readFileSync(join(cwd, "cdk.tf.json"), "utf8")) as Json);
      return args[0] === "show" ? plans(stack) : "";
    },
    run: (command) => {
      const line = command.join(" ");
      if (/ (?:cancel|delete) /.test(line)) done.push(line.replace(/ --.*/, ""));
      return line.includes("instances list")
        ? JSON.stringify([{ name: "pr-12-train-1", zone: "zones/europe-west1-b" }])
        : "[]";
    },
  };
}

interface Stack extends Json {
  readonly resource: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly terraform: Json;
}
const backendIn = (json: Json | undefined) => (json as Stack).terraform.backend;

const sweepFolder = (run: Runner, destroy: Destroy) => {
  const inventory = join(folder, "inventory.json");
  writeFileSync(inventory, "[]");
  return sweep(
    ["destroy", "--project", "bts-ci", "--state", folder, "--inventory", inventory, "--today", TODAY],
    run,
    destroy,
  );
};

describe("the destroy of an environment", () => {
  const INIT = "init -input=false -no-color";
  const PLAN = "plan -destroy -input=false -no-color -out=destroy.tfplan";
  const SHOW = "show -json destroy.tfplan";
  const APPLY = "apply -input=false -no-color destroy.tfplan";
  const states = () => ({
    "pr-12-data": stateText(world.data("pr-12", OVER)),
    "pr-12-app": stateText(world.app("pr-12", OVER)),
  });

  test("plans both stacks with the states that were found, then drains, then takes the app and the data", async () => {
    const texts = states();
    const paths = Object.entries(texts).map(([stack, text]) => [stack, world.write("pr-12", stack, text)]);
    const { terraform, run, done, json } = recording((stack) => planOf(texts[stack as keyof typeof texts]));
    expect(await sweepFolder(run, through({ terraform }))).toBe(0);
    expect(printed()).toContain("pr-12 is gone.");
    expect(done).toEqual([
      ...["pr-12-app", "pr-12-data"].flatMap((stack) => [INIT, PLAN, SHOW].map((args) => `${stack}: ${args}`)),
      "gcloud compute instances delete pr-12-train-1",
      `pr-12-app: ${APPLY}`,
      `pr-12-data: ${APPLY}`,
    ]);
    for (const [stack = "", path] of paths) expect(backendIn(json.get(stack))).toEqual({ local: { path } });
    // It lies where its states say, in the project of environments, and is the environment that expired.
    const buckets = (json.get("pr-12-data") as Stack).resource.google_storage_bucket;
    expect(buckets?.landing).toMatchObject({
      name: "bts-ci-pr-12-landing",
      location: "europe-west1",
      force_destroy: true,
      labels: { hospital: "pr-12", env: "ephemeral", "expires-at": OVER },
    });
    expect(json.get("pr-12-app")?.provider).toEqual({
      google: [expect.objectContaining({ project: "bts-ci", region: "europe-west1" })],
    });
  });

  test("takes a stack alone, with the bucket and prefix that it was found in", async () => {
    const text = states()["pr-12-data"];
    const { terraform, run, done, json } = recording(() => planOf(text));
    const name = "ci-env/pr-12/pr-12-data/default.tfstate";
    const cloud: Runner = (command) => {
      if (command.includes("objects")) return JSON.stringify([{ name }]);
      return command.includes("cat") ? text : run(command);
    };
    expect(await sweep(["destroy", "--project", "bts-ci", "--today", TODAY], cloud, through({ terraform }))).toBe(0);
    expect(done.filter((line) => !line.startsWith("gcloud"))).toEqual(
      [INIT, PLAN, SHOW, APPLY].map((args) => `pr-12-data: ${args}`),
    );
    expect(backendIn(json.get("pr-12-data"))).toEqual({
      gcs: { bucket: BUCKET, prefix: "ci-env/pr-12/pr-12-data" },
    });
  });

  test.each<[string, (text: string) => string, RegExp]>([
    [
      "what is there is a hospital's, whatever the state says",
      (text) => planOf(text.replaceAll('"hospital":"pr-12"', '"hospital":"st-anna"')),
      /Nothing of pr-12 was destroyed\..* has the label hospital="st-anna", not pr-12/,
    ],
    [
      "a plan has more than the state",
      (text) =>
        planOf(text, [
          {
            address: "google_storage_bucket.x",
            mode: "managed",
            type: "google_storage_bucket",
            change: { actions: ["delete"], before: { name: "bts-st-anna-st-anna-landing" } },
          },
        ]),
      /is of bucket "bts-st-anna-st-anna-landing"/,
    ],
    [
      "a plan would do anything but delete",
      (text) =>
        planOf(text, [
          {
            address: "google_pubsub_topic.x",
            mode: "managed",
            type: "google_pubsub_topic",
            change: { actions: ["delete", "create"], before: {} },
          },
        ]),
      /the plan would delete and create google_pubsub_topic\.x/,
    ],
    ["a plan cannot be read", () => "", /JSON/],
  ])("changes nothing where %s", async (_, plan, sentence) => {
    for (const [stack, text] of Object.entries(states())) world.write("pr-12", stack, text);
    const texts = states();
    // The stack that is planned last: neither is the first one touched.
    const { terraform, run, done } = recording((stack) =>
      stack === "pr-12-data" ? plan(texts["pr-12-data"]) : planOf(texts["pr-12-app"]),
    );
    expect(await sweepFolder(run, through({ terraform }))).toBe(1);
    expect(printed()).toMatch(sentence);
    expect(done.filter((line) => /apply|gcloud/.test(line))).toEqual([]);
  });

  test("neither drains nor plans what no app could be made of", async () => {
    world.write("pr-12", "pr-12-data", stateText(world.data("pr-12", OVER)));
    const { run, done } = recording(() => "");
    const synthesize = () => {
      throw new Error("no such environment");
    };
    expect(await sweepFolder(run, through({ synthesize }))).toBe(1);
    expect(printed()).toContain("pr-12: no such environment");
    expect(done).toEqual([]);
  });
});

const installed = findTerraform();
/** Without Terraform there is nothing to run; what it is asked stands above. */
const withTerraform = installed === undefined ? describe.skip : describe;

withTerraform("with Terraform itself", () => {
  /** A stack that needs no provider but what Terraform has built in. */
  const builtIn =
    (...names: string[]): NonNullable<Tools["synthesize"]> =>
    (outdir) => {
      for (const name of names) {
        mkdirSync(join(outdir, "stacks", name), { recursive: true });
        writeFileSync(
          join(outdir, "stacks", name, "cdk.tf.json"),
          JSON.stringify({ resource: { terraform_data: { note: { input: "x" } } } }),
        );
      }
      return readStacks(outdir);
    };
  const note = (input: string) => {
    const value = { value: input, type: "string" };
    return resource(
      "terraform_data",
      "note",
      { id: "1", input: value, output: value, triggers_replace: null },
      'provider["terraform.io/builtin/terraform"]',
    );
  };
  const none: Runner = () => "[]";
  const resourcesIn = (text: string) => (JSON.parse(text) as { resources: unknown[] }).resources;

  /** Only what is built in can be destroyed without Google: that it expired is said for it. */
  const asExpired =
    (tools: Partial<Tools>): Destroy =>
    (options, given) => {
      expect(options.environment.name).toBe("pr-1");
      through(tools)(options, given);
    };

  test("destroys by the file that was found, leaves what lies beside it, and has nothing to do afterwards", async () => {
    // A bucket makes the environment one; it is gone from the cloud, so that only the note is left to destroy.
    const dated = world.data("pr-1", OVER);
    const path = world.write("pr-1", "pr-1-data", stateText([...dated, note("own")]));
    const other = world.write("pr-12", "pr-12-data", stateText([...world.data("pr-12", "2027-01-01"), note("other")]));
    const destroy: Destroy = (options, given) => {
      // Terraform would ask Google for the bucket: what it is given is the note alone, in the same file.
      writeFileSync(path, stateText([note("own")]));
      asExpired({ synthesize: builtIn("pr-1-data", "pr-1-app") })(options, given);
    };
    expect(await sweepFolder(none, destroy)).toBe(0);
    expect(resourcesIn(readFileSync(path, "utf8"))).toEqual([]);
    expect(resourcesIn(readFileSync(other, "utf8"))).toHaveLength(3);
    const before = printed();
    expect(before).toContain("pr-1 is gone.");
    expect(await sweepFolder(none, () => expect("nothing").toBe("destroyed"))).toBe(0);
    expect(printed().slice(before.length)).toContain("No ephemeral environment in bts-ci has expired");
  });

  test("destroys nothing once the state is another than the one that was planned with", async () => {
    const path = world.write("pr-1", "pr-1-data", stateText(world.data("pr-1", OVER)));
    // While what runs is drained, somebody deploys the environment again.
    const deploying: Runner = (command) => {
      if (command.includes("clusters")) writeFileSync(path, stateText([note("own"), note("new")], { serial: 8 }));
      return "[]";
    };
    const destroy: Destroy = (options, given) => {
      writeFileSync(path, stateText([note("own")]));
      through({ synthesize: builtIn("pr-1-data") })(options, given);
    };
    expect(await sweepFolder(deploying, destroy)).toBe(1);
    expect(printed()).toMatch(/pr-1: "\S+ apply .*" failed/);
    expect(resourcesIn(readFileSync(path, "utf8"))).toHaveLength(2);
  });

  describe("in a bucket", () => {
    let server: GcsServer;
    const { STORAGE_EMULATOR_HOST, GOOGLE_OAUTH_ACCESS_TOKEN, TF_WORKSPACE } = process.env;
    beforeEach(async () => {
      server = await startGcsServer();
      await server.createBucket(BUCKET);
      // Which state that would be nobody looked at.
      process.env.TF_WORKSPACE = "other";
      process.env.STORAGE_EMULATOR_HOST = new URL(server.endpoint).host;
      process.env.GOOGLE_OAUTH_ACCESS_TOKEN = "dummy";
    });
    afterEach(async () => {
      await server.stop();
      for (const [name, value] of Object.entries({ STORAGE_EMULATOR_HOST, GOOGLE_OAUTH_ACCESS_TOKEN, TF_WORKSPACE }))
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
    });
    const put = async (name: string, text: string) => {
      const url = `${server.endpoint}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${encodeURIComponent(name)}`;
      const response = await fetch(url, { method: "POST", body: text });
      if (!response.ok) throw new Error(`${name}: ${response.status}`);
    };
    const read = async (name: string) =>
      (
        await fetch(`${server.endpoint}/download/storage/v1/b/${BUCKET}/o/${encodeURIComponent(name)}?alt=media`)
      ).text();

    test("destroys by the object that was found and by no other", async () => {
      const own = "ci-env/pr-1/pr-1-data/default.tfstate";
      const others = [
        "ci-env/pr-1/pr-1-data/other.tfstate",
        "ci-env/pr-12/pr-12-data/default.tfstate",
        "pr-1-data/default.tfstate",
      ];
      for (const name of [own, ...others]) await put(name, stateText([note(name)]));
      const listed: Runner = (command) => {
        if (command.includes("objects")) return JSON.stringify([{ name: own }]);
        return command.includes("cat") ? stateText([...world.data("pr-1", OVER), note(own)]) : "[]";
      };
      const destroy = asExpired({ synthesize: builtIn("pr-1-data") });
      expect(await sweep(["destroy", "--project", "bts-ci", "--today", TODAY], listed, destroy)).toBe(0);
      expect(resourcesIn(await read(own))).toEqual([]);
      for (const name of others) expect(resourcesIn(await read(name))).toHaveLength(1);
    });
  });
});
