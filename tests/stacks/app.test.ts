import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ConfigurationError } from "../../runtime/platform/config";
import { TABLE_NAMES, VIEWS } from "../../runtime/platform/warehouse";
import { buildApp } from "../../stacks/app";
import { synth } from "../../stacks/command";
import type { HospitalLine } from "../../stacks/config";
import type { ImageLock } from "../../stacks/images";
import {
  type Json,
  NOTHING_PUSHED,
  PROD,
  PUSHED,
  type SynthesizedStack,
  stackOf,
  synthesize,
  TEST,
} from "./synthesize";

const OTHER = { name: "other", project: "mri-other", projectNumber: "300400500600" };
const EPHEMERAL: HospitalLine = { ...TEST, name: "run-4711", tier: "ephemeral", project: "mri-ci-shared" };
const { stacks, manifest } = synthesize([PROD, TEST, EPHEMERAL]);
const hospitalStacks = new Map([...stacks].filter(([name]) => /-(data|app)$/.test(name)));
const prodData = stackOf(stacks, "st-anna-data");
const prodApp = stackOf(stacks, "st-anna-app");

describe("the stacks", () => {
  test("are bootstrap, platform and two a hospital; an app stack depends on its own data stack and on nothing else", () => {
    const found = manifest.stacks as Record<string, { dependencies: string[] }>;
    expect(Object.fromEntries(Object.entries(found).map(([name, { dependencies }]) => [name, dependencies]))).toEqual({
      bootstrap: [],
      platform: ["bootstrap"],
      "st-anna-data": [],
      "st-anna-app": ["st-anna-data"],
      "sandbox-data": [],
      "sandbox-app": ["sandbox-data"],
      "run-4711-data": [],
      "run-4711-app": ["run-4711-data"],
    });
  });

  test.each([...stacks])(
    "%s has no unresolved token, no remote state, no data source, no path of this machine",
    (_name, stack) => {
      expect(stack.text).not.toContain("TfToken");
      expect(stack.text).not.toMatch(/\$\{Token\[|#\{Token\[/);
      expect(stack.json).not.toHaveProperty("data");
      expect(stack.text).not.toContain(resolve(__dirname, "../.."));
      // A machine's own /tmp and /var/tmp stand in its scripts; a file below this process's does not.
      expect(stack.text.replaceAll("/var/tmp/", "")).not.toContain(`${tmpdir()}/`);
    },
  );

  test.each([...stacks])("%s asks for the provider in the form that OpenTofu takes too", (_name, stack) => {
    expect((stack.json.terraform as Json).required_providers).toEqual({
      google: { source: "hashicorp/google", version: "~> 6.50" },
    });
  });

  test("a hospital more changes no other stack's JSON, wherever its line stands", () => {
    const more: HospitalLine = { ...PROD, name: "mercy", project: "mri-mercy", projectNumber: "300400500600" };
    const grown = synthesize([more, EPHEMERAL, TEST, PROD]).stacks;
    expect(grown.size).toBe(stacks.size + 2);
    for (const [name, stack] of stacks) expect(grown.get(name)?.text).toBe(stack.text);
  });

  test("nothing of one hospital is named in another's stacks", () => {
    for (const [name, stack] of stacks) {
      for (const other of [PROD, TEST, EPHEMERAL])
        if (!name.startsWith(`${other.name}-`)) expect(stack.text).not.toContain(other.project);
    }
  });

  test("what holds data keeps its address", () => {
    const stateful =
      /^google_(storage_bucket|kms_key_ring|kms_crypto_key|pubsub_topic|pubsub_subscription|bigquery_dataset|bigquery_table)$/;
    const addresses = (stack: SynthesizedStack) =>
      stack
        .resources()
        .filter(({ type }) => stateful.test(type))
        .map(({ type, logicalId }) => `${type}.${logicalId}`)
        .sort();
    expect(addresses(prodData)).toEqual([
      "google_bigquery_dataset.warehouse",
      ...[...TABLE_NAMES, ...VIEWS.map(({ name }) => name)].map((name) => `google_bigquery_table.${name}`).sort(),
      "google_kms_crypto_key.audit",
      "google_kms_crypto_key.data",
      "google_kms_crypto_key.pseudonym",
      "google_kms_key_ring.hospital",
      "google_storage_bucket.access_logs",
      "google_storage_bucket.curated",
      "google_storage_bucket.landing",
      "google_storage_bucket.models",
      "google_storage_bucket.processed",
      "google_storage_bucket.quarantine",
      "google_storage_bucket.reports",
      "google_storage_bucket.warehouse",
    ]);
    expect(addresses(prodApp)).toEqual([
      "google_pubsub_subscription.ingest",
      "google_pubsub_subscription.ingest_dead_letter",
      "google_pubsub_topic.landing",
      "google_pubsub_topic.landing_dead_letter",
      "google_storage_bucket.source",
      "google_storage_bucket.staging",
      "google_storage_bucket.temp",
    ]);
  });

  test("every resource that can carry labels carries the hospital's", () => {
    for (const [name, stack] of hospitalStacks) {
      const labelled = stack.resources().filter(({ config }) => "labels" in config);
      expect(labelled.length).toBeGreaterThanOrEqual(7);
      for (const { config } of labelled)
        expect(config.labels).toMatchObject({
          hospital: name.replace(/-(data|app)$/, ""),
          env: expect.stringMatching(/^(prod|test|ephemeral)$/),
          owner: "platform",
          "data-class": expect.stringMatching(/^(phi|code|metadata)$/),
          "managed-by": "cdktf",
        });
    }
    const withoutLabels = new Set(
      prodData
        .resources()
        .filter(({ config }) => !("labels" in config))
        .map(({ type }) => type),
    );
    expect([...withoutLabels].sort()).toEqual([
      "google_artifact_registry_repository_iam_member",
      "google_bigquery_datapolicy_data_policy",
      "google_data_catalog_policy_tag",
      "google_data_catalog_taxonomy",
      "google_kms_crypto_key_iam_member",
      "google_kms_key_ring",
      "google_logging_project_sink",
      "google_project_iam_audit_config",
      "google_project_iam_custom_role",
      "google_project_iam_member",
      "google_project_service",
      "google_service_account",
      "google_service_account_iam_member",
      "google_storage_bucket_iam_member",
    ]);
    const expiring = synthesize([{ ...EPHEMERAL, expiresAt: "2027-01-31" }]).stacks;
    expect(stackOf(expiring, "run-4711-data").resource("google_storage_bucket", "landing").labels).toMatchObject({
      "expires-at": "2027-01-31",
    });
  });

  test("grants are additive, and no role is a basic one", () => {
    for (const stack of stacks.values()) {
      for (const { type, config } of stack.resources()) {
        expect(type).not.toMatch(/_iam_(policy|binding)$|_key$(?<!crypto_key)/);
        if (type.endsWith("_iam_member")) expect(config.role).not.toMatch(/^roles\/(owner|editor|viewer)$/);
      }
    }
  });

  test("an ephemeral environment owns no key, no grant on one and no API of the project that it shares", () => {
    const data = stackOf(stacks, "run-4711-data");
    expect(new Set(data.resources().map(({ type }) => type))).toEqual(
      new Set([
        "google_bigquery_dataset",
        "google_bigquery_table",
        "google_storage_bucket",
        "google_storage_bucket_iam_member",
      ]),
    );
    const bucket = data.resource("google_storage_bucket", "landing");
    expect(bucket.encryption).toEqual({
      default_kms_key_name:
        "projects/bts-platform/locations/us-central1/keyRings/brain-tumor-ephemeral/cryptoKeys/data",
    });
    for (const { type, config } of stackOf(stacks, "run-4711-app").resources()) {
      const name = config.account_id ?? config.repository_id ?? (type.includes("_iam_") ? undefined : config.name);
      // Names below something that carries the environment's name itself.
      const inner = ["google_storage_bucket_object", "google_dns_record_set"].includes(type);
      if (typeof name === "string" && !name.startsWith("${") && !inner) expect(name).toContain("run-4711");
    }
  });

  test("state lies beside the output folder, or in the bucket that the line names", () => {
    const state = (stack: SynthesizedStack) => (stack.json.terraform as Json).backend;
    expect(state(prodData)).toEqual({ local: { path: "../../../terraform.st-anna-data.tfstate" } });
    const remote = synthesize([{ ...PROD, stateBucket: "mri-state" }]).stacks;
    expect(state(stackOf(remote, "st-anna-app"))).toEqual({ gcs: { bucket: "mri-state", prefix: "st-anna-app" } });
  });
});

describe("images that a line requires", () => {
  const build = (lines: readonly HospitalLine[], images: ImageLock) => {
    try {
      synthesize(lines, buildApp, images);
    } catch (error) {
      if (error instanceof ConfigurationError) return error.problems;
      throw error;
    }
    return [];
  };
  const required: HospitalLine = { ...PROD, images: "required" };

  test("stop a synth that would leave out what runs them: every image of every hospital", () => {
    const problems = build([required, TEST, { ...TEST, ...OTHER, images: "required" }], NOTHING_PUSHED);
    expect(problems).toHaveLength(4);
    for (const [index, name, image] of [
      [0, "st-anna", "serve"],
      [1, "st-anna", "train"],
      [2, "other", "serve"],
      [3, "other", "train"],
    ] as const) {
      expect(problems[index]).toContain(`Hospital "${name}": "images" is "required"`);
      expect(problems[index]).toContain(`images.lock.json has no image "${image}"`);
      expect(problems[index]).toContain(`npm run image -- ${image}`);
    }
    const { serve } = PUSHED.images;
    expect(build([required], { version: 1, images: serve ? { serve } : {} })).toEqual([
      expect.stringContaining('no image "train"'),
    ]);
  });

  test("let everything else be synthesized", () => {
    expect(build([required, TEST], PUSHED)).toEqual([]);
    expect(build([PROD, TEST], NOTHING_PUSHED)).toEqual([]);
    expect(build([{ ...PROD, images: "optional" }], NOTHING_PUSHED)).toEqual([]);
    // The JSON says nothing of it: a line that requires its images deploys what it deployed before.
    expect(stackOf(synthesize([required]).stacks, "st-anna-app").text).toBe(prodApp.text);
  });
});

describe("cdktn in place of cdktf", () => {
  afterAll(() => {
    jest.dontMock("cdktf");
    jest.resetModules();
  });

  test("gives the same JSON but for the stamp of its version", () => {
    jest.resetModules();
    jest.doMock("cdktf", () => jest.requireActual("cdktn"));
    const { buildApp } = require("../../stacks/app") as typeof import("../../stacks/app");
    const { App } = require("../../constructs/core/cdktf") as typeof import("../../constructs/core/cdktf");
    expect(App).toBe(jest.requireActual<{ App: unknown }>("cdktn").App);

    const other = synthesize([PROD, TEST, EPHEMERAL], buildApp).stacks;
    const withoutStamp = (stack: SynthesizedStack | undefined) => {
      const copy = structuredClone(stack?.json ?? {}) as { "//"?: { metadata?: { version?: string } } };
      const version = copy["//"]?.metadata?.version;
      delete copy["//"]?.metadata?.version;
      return { copy, version };
    };
    expect([...other.keys()]).toEqual([...stacks.keys()]);
    for (const [name, stack] of stacks) {
      expect(withoutStamp(other.get(name)).copy).toEqual(withoutStamp(stack).copy);
      expect(withoutStamp(other.get(name)).version).not.toBe(withoutStamp(stack).version);
    }
  });
});

describe("npm run synth", () => {
  let folder: string;
  let stdout: string;
  let stderr: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "synth-command-"));
    stdout = "";
    stderr = "";
    jest.spyOn(process.stdout, "write").mockImplementation((text) => {
      stdout += String(text);
      return true;
    });
    jest.spyOn(process.stderr, "write").mockImplementation((text) => {
      stderr += String(text);
      return true;
    });
  });

  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (lines: unknown, ...more: string[]) => {
    const file = join(folder, "hospitals.json");
    writeFileSync(file, typeof lines === "string" ? lines : JSON.stringify(lines));
    return synth(["--hospitals", file, "--out", join(folder, "deep", "out"), ...more], [PROD]);
  };

  test("writes the stacks of a file into a folder and says which", () => {
    expect(run([TEST])).toBe(0);
    expect(readdirSync(join(folder, "deep/out/stacks")).sort()).toEqual([
      "bootstrap",
      "platform",
      "sandbox-app",
      "sandbox-data",
    ]);
    expect(stdout).toContain("sandbox-data, sandbox-app");
  });

  test("puts the code where the stack says, under a name that carries its hash", () => {
    expect(run([TEST])).toBe(0);
    const stack = join(folder, "deep/out/stacks/sandbox-app");
    const json = JSON.parse(readFileSync(join(stack, "cdk.tf.json"), "utf8"));
    const objects = Object.values(json.resource.google_storage_bucket_object) as { name: string; source?: string }[];
    const bytes = (name: RegExp) => {
      const found = objects.filter((object) => name.test(object.name));
      expect(found).toHaveLength(1);
      return readFileSync(join(stack, String(found[0]?.source)));
    };
    for (const capability of ["ingest", "preprocess", "features", "score"])
      expect(bytes(new RegExp(`^${capability}/[0-9a-f]{64}\\.zip$`)).toString("latin1", 0, 2)).toBe("PK");
    const driver = readFileSync(join(__dirname, "../../spark/preprocess.py"));
    expect(bytes(/^spark\/[0-9a-f]{32}\/preprocess\.py$/)).toEqual(driver);
  });

  test("takes away the stacks of a hospital that is gone, and nothing else", () => {
    expect(run([TEST, PROD])).toBe(0);
    const notes = join(folder, "deep/out/stacks/notes.txt");
    writeFileSync(notes, "mine");
    expect(run([PROD])).toBe(0);
    expect(readdirSync(join(folder, "deep/out/stacks")).sort()).toEqual([
      "bootstrap",
      "notes.txt",
      "platform",
      "st-anna-app",
      "st-anna-data",
    ]);
  });

  test("warns of a production hospital whose state is a file, and of no other", () => {
    expect(run([PROD, TEST])).toBe(0);
    expect(stderr).toContain('Warning: Hospital "st-anna" is of tier prod, and its state is a file');
    expect(stderr).not.toContain('Hospital "sandbox" is of tier');
    stderr = "";
    expect(run([{ ...PROD, stateBucket: "mri-state" }])).toBe(0);
    expect(stderr).not.toContain("its state is a file");
  });

  test("warns of a project number that two projects have", () => {
    expect(run([TEST, { ...PROD, projectNumber: TEST.projectNumber }])).toBe(0);
    expect(stderr).toContain('Correct "projectNumber"');
  });

  test("with required images that were not pushed exits 2, says which and writes nothing", () => {
    const file = join(folder, "hospitals.json");
    writeFileSync(file, JSON.stringify([{ ...TEST, images: "required" }]));
    jest.isolateModules(() => {
      // Whoever runs this may have a lock file of their own.
      jest.doMock("../../stacks/images", () => ({
        ...jest.requireActual<object>("../../stacks/images"),
        readImageLock: () => NOTHING_PUSHED,
      }));
      const command = require("../../stacks/command") as typeof import("../../stacks/command");
      expect(command.synth(["--hospitals", file, "--out", join(folder, "deep", "out")], [PROD])).toBe(2);
      jest.dontMock("../../stacks/images");
    });
    expect(stderr).toContain('no image "serve"');
    expect(stderr).toContain('no image "train"');
    expect(existsSync(join(folder, "deep"))).toBe(false);
  });

  test.each<[string, unknown, string]>([
    ["a wrong line", [{ ...TEST, region: "mars" }], '"region" is "mars"'],
    ["no list", { name: "x" }, "allowed: a list"],
    ["no JSON", "[{", "is not JSON"],
  ])("with %s exits 2, says why and writes nothing", (_what, lines, why) => {
    expect(run(lines)).toBe(2);
    expect(stderr).toContain(why);
    expect(existsSync(join(folder, "deep"))).toBe(false);
  });

  test.each([
    [["--hospitals", "nowhere.json"], "nowhere.json does not exist"],
    [["--hospital", "x.json"], "--hospital"],
    [["--seed", "x"], "--seed"],
    [["extra"], "extra"],
    [["--out", __filename], "must be a folder"],
  ])("%j is wrong usage: exit 2", (args, why) => {
    expect(synth(args, [PROD])).toBe(2);
    expect(stderr).toContain(why);
  });

  test("--help lists the options", () => {
    expect(synth(["--help"], [PROD])).toBe(0);
    expect(stdout).toContain("--hospitals FILE.json");
  });
});

test("npm run cdktf calls nobody about versions and crashes, and hands on what it is given", () => {
  const folder = mkdtempSync(join(tmpdir(), "cdktf-script-"));
  try {
    const { scripts } = JSON.parse(readFileSync(resolve(__dirname, "../../package.json"), "utf8"));
    const says = '#!/bin/sh\necho "$CHECKPOINT_DISABLE $DISABLE_VERSION_CHECK $*"\nexit 3\n';
    writeFileSync(join(folder, "cdktf"), says, { mode: 0o755 });
    // As npm does: what follows the two dashes is put behind the script, each word in quotes.
    const { CHECKPOINT_DISABLE: _1, DISABLE_VERSION_CHECK: _2, ...env } = process.env;
    const { status, stdout } = spawnSync("sh", ["-c", `${scripts.cdktf} "deploy" "*"`], {
      env: { ...env, PATH: `${folder}:${process.env.PATH}` },
      encoding: "utf8",
    });
    expect({ status, stdout }).toEqual({ status: 3, stdout: "1 1 deploy *\n" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("docs and workflows deploy and destroy through npm run cdktf", () => {
  const root = resolve(__dirname, "../..");
  const lines = ["docs", ".github/workflows"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => /\.(?:md|yml)$/.test(name))
      .flatMap((name) =>
        readFileSync(join(root, folder, name), "utf8")
          .split("\n")
          .map((line) => `${name}: ${line}`),
      ),
  );
  expect(lines.filter((line) => /npm run cdktf -- (?:deploy|destroy)/.test(line)).length).toBeGreaterThan(5);
  expect(lines.filter((line) => /npx cdktf (?:deploy|destroy|diff)/.test(line))).toEqual([]);
});

test("npx cdktf synth works without a network", () => {
  const root = resolve(__dirname, "../..");
  const out = mkdtempSync(join(tmpdir(), "cdktf-cli-"));
  try {
    const nowhere = "http://127.0.0.1:9";
    execFileSync(process.execPath, [join(root, "node_modules/cdktf-cli/bundle/bin/cdktf"), "synth", "--output", out], {
      cwd: root,
      env: {
        ...process.env,
        PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}`,
        CI: "true",
        CHECKPOINT_DISABLE: "1",
        DISABLE_VERSION_CHECK: "1",
        HTTPS_PROXY: nowhere,
        HTTP_PROXY: nowhere,
      },
      stdio: "pipe",
    });
    expect(readdirSync(join(out, "stacks")).length).toBe(6);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});
