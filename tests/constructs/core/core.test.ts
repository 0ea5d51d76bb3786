import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { bindEnvironment } from "../../../constructs/core/binding";
import { BundleCache } from "../../../constructs/core/bundle-cache";
import { bundleFiles, hashFiles, zipFiles } from "../../../constructs/core/bundle-files";
import { declaredAccess, readerOf } from "../../../constructs/core/declared-access";
import type { Identity } from "../../../constructs/core/identity";
import { bucketName, bucketNameProblem, serviceAccountId } from "../../../constructs/core/naming";
import { prunePackageLock, readPackageLock } from "../../../constructs/core/package-lock";
import { removalPolicy } from "../../../constructs/core/removal";
import { bundleRuntime } from "../../../constructs/core/runtime-bundle";
import { escapeTemplate, readScript } from "../../../constructs/core/script";
import { SERVICE_AGENTS, serviceAgentMember } from "../../../constructs/core/service-agents";
import { ingestContract } from "../../../runtime/ingest/contract";
import { type Bindings, BUCKETS, defineContract, type RuntimeContract } from "../../../runtime/platform/contract";
import { preprocessContract } from "../../../runtime/preprocess/contract";
import { scoreContract } from "../../../runtime/score/contract";
import { serveContract } from "../../../runtime/serve/contract";
import { trainContract } from "../../../runtime/train/contract";
import { ref } from "../../stacks/synthesize";

const ROOT = resolve(__dirname, "../../..");

const contract = defineContract({
  name: "sample",
  entry: "runtime/sample/main.ts",
  target: "main",
  env: z.object({
    KEY: z.string().regex(/^kms:/, "must start with kms:"),
    LEVEL: z.enum(["low", "high"]).default("low"),
  }),
  reads: ["landing", "assignments"],
  creates: ["curated"],
  writes: ["models"],
  appends: ["images"],
  health: null,
  resources: { memoryGiB: 1, cpu: 1, timeoutSeconds: 60 },
});

describe("names", () => {
  test("buckets are <project>-<hospital>-<bucket>", () => {
    expect(bucketName({ project: "mri-anna", name: "st-anna" }, "landing")).toBe("mri-anna-st-anna-landing");
  });

  test.each([
    ["a".repeat(64), /64 characters and Cloud Storage allows 63/],
    ["Upper-case", /does not allow/],
    ["goog-clinic", /Google's own/],
    ["my-g00gle-clinic", /Google's own/],
    ["a".repeat(63), undefined],
  ])("%s is judged as Cloud Storage judges it", (name, problem) => {
    if (problem) expect(bucketNameProblem(name)).toMatch(problem);
    else expect(bucketNameProblem(name)).toBeUndefined();
  });

  test("service accounts keep to 30 characters and stay apart", () => {
    expect(serviceAccountId({ name: "st-anna" }, "ingest")).toBe("st-anna-ingest");
    const long = ["university-hospital-rotterdam", "university-hospital-rotterdan"].map((name) =>
      serviceAccountId({ name }, "ingest-build"),
    );
    for (const id of long) expect(id).toMatch(/^[a-z](?:[-a-z0-9]{4,28}[a-z0-9])$/);
    expect(new Set(long).size).toBe(2);
  });

  test("service agents are composed from the project's number", () => {
    expect(serviceAgentMember({ projectNumber: "123" }, "pubsub")).toBe(
      "serviceAccount:service-123@gcp-sa-pubsub.iam.gserviceaccount.com",
    );
    expect(new Set(SERVICE_AGENTS.map((agent) => serviceAgentMember({ projectNumber: "1" }, agent))).size).toBe(
      SERVICE_AGENTS.length,
    );
  });
});

test("removal is one switch: retain protects, destroy leaves nothing", () => {
  expect(removalPolicy("retain")).toEqual({
    forceDestroy: false,
    deletionProtection: true,
    lifecycle: { lifecycle: { preventDestroy: true } },
    softDeleteSeconds: 2_592_000,
  });
  expect(removalPolicy("destroy")).toEqual({
    forceDestroy: true,
    deletionProtection: false,
    lifecycle: {},
    softDeleteSeconds: 0,
  });
});

describe("bindings", () => {
  type Places = Parameters<typeof bindEnvironment>[1];
  const buckets = Object.fromEntries(BUCKETS.map((name) => [name, { uri: `gs://anna-${name}` }])) as Places["buckets"];
  const warehouse = { uri: "bigquery://mri-anna/tables" } as Places["warehouse"];
  const identity = { reader: { address: "reader@mri-anna.iam.gserviceaccount.com" } } as Identity;
  const bind = (bindings: Record<string, string>, of = buckets) =>
    bindEnvironment(contract, { buckets: of, warehouse }, identity, bindings as Bindings<typeof contract>);
  const derived = {
    CURATED_BUCKET: "gs://anna-curated",
    LANDING_BUCKET: "gs://anna-landing",
    MODELS_BUCKET: "gs://anna-models",
    WAREHOUSE: "bigquery://mri-anna/tables",
    WAREHOUSE_READER: "reader@mri-anna.iam.gserviceaccount.com",
  };

  test("become the environment beside the buckets of the contract, sorted, without what was left to its default", () => {
    expect(bind({ KEY: "kms:a" })).toEqual({ ...derived, KEY: "kms:a" });
    const all = Object.keys(bind({ LEVEL: "high", KEY: "kms:a" }));
    expect(all).toEqual([...Object.keys(derived), "KEY", "LEVEL"].sort());
  });

  test("that the process would refuse are refused, all at once", () => {
    expect(() => bind({ KEY: "a", LEVEL: "middle", OTHER: "x" })).toThrow(
      /OTHER is not in the contract.*KEY is "a": must start with kms:.*LEVEL is "middle"/,
    );
    expect(() => bind({})).toThrow(/KEY is not bound/);
    expect(() =>
      bind({ KEY: "kms:a" }, { ...buckets, models: { uri: "s3://x" } as Places["buckets"]["models"] }),
    ).toThrow(/MODELS_BUCKET is "s3:\/\/x": must be gs:/);
  });

  test("of a bucket are not made by hand, neither here nor in a contract", () => {
    expect(() => bind({ KEY: "kms:a", LANDING_BUCKET: "gs://other" })).toThrow(
      /LANDING_BUCKET follows from the contract's rights and is not bound by hand/,
    );
    const env = z.object({ REPORTS_BUCKET: z.string() });
    expect(() => defineContract({ ...contract, env })).toThrow(
      /The contract of sample names REPORTS_BUCKET: its rights on buckets and tables say that already/,
    );
    expect(() => defineContract({ ...contract, env: z.object({ WAREHOUSE: z.string() }) })).toThrow(/names WAREHOUSE/);
  });

  test("that are known only to Terraform pass", () => {
    expect(() => bind({ KEY: ref("TfToken[TOKEN.0]") })).not.toThrow();
  });
});

test("declared access: writing includes reading, and tables are no buckets", () => {
  expect(declaredAccess(contract)).toEqual([
    ["curated", "create"],
    ["landing", "read"],
    ["models", "write"],
  ]);
});

test("who adds rows asks as another account; who does one of both is one", () => {
  const shapeOf = ({ env }: RuntimeContract) => Object.keys(env.shape).filter((key) => key.startsWith("WAREHOUSE"));
  const identity = { reader: "another" } as unknown as Identity;
  const of = (reads: RuntimeContract["reads"], appends: RuntimeContract["appends"]) => {
    const made = defineContract({ ...contract, env: z.object({}), reads, appends } as RuntimeContract);
    return [shapeOf(made), readerOf(made, identity)];
  };
  const both = ["WAREHOUSE", "WAREHOUSE_READER"];
  expect(of(["images"], ["predictions"])).toEqual([both, "another"]);
  expect(of([], ["predictions"])).toEqual([both, undefined]);
  expect(of(["images"], [])).toEqual([both, undefined]);
  expect(of(["landing"], [])).toEqual([[], undefined]);
});

describe("the hash and the zip of a bundle", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const files = new Map([
    ["index.js", bytes("exports.a = 1;")],
    ["package.json", bytes("{}")],
  ]);

  test("depend on content and relative paths, not on order", () => {
    const turned = new Map([...files].reverse());
    expect(hashFiles(turned)).toBe(hashFiles(files));
    expect(Buffer.from(zipFiles(turned)).equals(Buffer.from(zipFiles(files)))).toBe(true);
    expect(hashFiles(new Map([...files, ["index.js", bytes("exports.a = 2;")]]))).not.toBe(hashFiles(files));
    const moved = new Map([["main.js", bytes("exports.a = 1;")], ...[...files].slice(1)]);
    expect(hashFiles(moved)).not.toBe(hashFiles(files));
    expect(hashFiles(new Map([["ab", bytes("c")]]))).not.toBe(hashFiles(new Map([["a", bytes("bc")]])));
  });

  test("are the same in every time zone", () => {
    const digest = (zone: string) =>
      execFileSync(
        process.execPath,
        [
          "-e",
          `const { zipSync } = require("fflate");
           const mtime = new Date(1980, 0, 1, 0, 0, 0);
           process.stdout.write(Buffer.from(zipSync({ a: [new Uint8Array(3), { mtime }] })).toString("hex"));`,
        ],
        { cwd: ROOT, env: { ...process.env, TZ: zone }, encoding: "utf8" },
      );
    expect(digest("Pacific/Kiritimati")).toBe(digest("America/Los_Angeles"));
  });
});

describe("the bundle of ingest", () => {
  const bundle = bundleRuntime(ingestContract);
  const files = bundleFiles(bundle);
  const text = (path: string) => Buffer.from(files.get(path) ?? []).toString("utf8");

  test("is made once a process", () => {
    expect(bundleRuntime(ingestContract)).toBe(bundle);
  });

  test("zips exactly what it hashes", () => {
    expect(hashFiles(files)).toBe(bundle.sha256);
    expect(Buffer.from(zipFiles(files)).equals(Buffer.from(bundle.zip))).toBe(true);
  });

  test("carries no source map and no path of this machine", () => {
    expect([...files.keys()].sort()).toEqual([
      "codec-worker.js",
      "index.js",
      "package-lock.json",
      "package.json",
      "text-worker.js",
    ]);
    expect(text("index.js")).not.toContain("sourceMappingURL=data:");
    expect(text("index.js")).not.toContain(ROOT);
  });

  test("leaves native packages to the platform, at the versions of the lock file", () => {
    const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
    const manifest = JSON.parse(text("package.json"));
    expect(manifest.main).toBe("index.js");
    expect(manifest.engines).toEqual({ node: "22" });
    expect(Object.keys(manifest.dependencies)).toEqual(
      expect.arrayContaining(["@google-cloud/functions-framework", "sharp"]),
    );
    for (const [name, version] of Object.entries(manifest.dependencies))
      expect(version).toBe(lock.packages[`node_modules/${name}`].version);
    const pruned = JSON.parse(text("package-lock.json"));
    expect(pruned.packages[""].dependencies).toEqual(manifest.dependencies);
    expect(Object.keys(pruned.packages)).toContain("node_modules/@img/sharp-linux-x64");
    expect(JSON.stringify(pruned)).not.toContain('"dev":true');
    // Nothing of what only the infrastructure needs travels with the function.
    expect(Object.keys(pruned.packages)).not.toContain("node_modules/cdktf");
  });
});

describe("the cache of bundles", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "cache-"));
    mkdirSync(join(root, "runtime/a"), { recursive: true });
    for (const file of ["package-lock.json", "tsconfig.json", "runtime/a/b.ts"]) writeFileSync(join(root, file), "1");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("has a key that changes with any source, a new file, the packages and the options", () => {
    const cache = new BundleCache(root, ["runtime"]);
    const seen = [cache.key({}), cache.key({ minify: true })];
    expect(cache.key({})).toBe(seen[0]);
    for (const file of ["runtime/a/b.ts", "runtime/a/c.ts", "package-lock.json"]) {
      writeFileSync(join(root, file), "2");
      seen.push(cache.key({}));
    }
    expect(new Set(seen).size).toBe(seen.length);
  });

  test("gives back what was put, and nothing for another key or a damaged file", () => {
    const cache = new BundleCache(root, ["runtime"]);
    const bundle = { sha256: "abc", zip: new TextEncoder().encode("zip") };
    cache.put("ingest", "old", bundle);
    cache.put("ingest", "k", bundle);
    expect(cache.get("ingest", "k")?.sha256).toBe("abc");
    expect(Buffer.from(cache.get("ingest", "k")?.zip ?? []).toString()).toBe("zip");
    expect(cache.get("ingest", "old")).toBeUndefined();
    writeFileSync(join(root, "dist/.bundles/ingest-k.zip"), "zi");
    expect(cache.get("ingest", "k")).toBeUndefined();
  });
});

describe("a pruned lock file", () => {
  const lock = {
    lockfileVersion: 3,
    packages: {
      "": {},
      "node_modules/a": { version: "1.0.0", dev: true, dependencies: { b: "^1" }, optionalDependencies: { gone: "*" } },
      "node_modules/a/node_modules/b": { version: "1.5.0", dependencies: { c: "*" } },
      "node_modules/b": { version: "2.0.0" },
      "node_modules/c": { version: "3.0.0", peerDependencies: { a: "*" } },
      "node_modules/unused": { version: "9.0.0" },
    },
  };

  test("keeps what the roots need, where it stood", () => {
    const { document, dependencies } = prunePackageLock(lock, "x", ["a"]);
    expect(dependencies).toEqual({ a: "1.0.0" });
    expect(Object.keys(document.packages)).toEqual([
      "",
      "node_modules/a",
      "node_modules/a/node_modules/b",
      "node_modules/c",
    ]);
    expect(document.packages["node_modules/a"]).not.toHaveProperty("dev");
    expect(document.packages["node_modules/a"]).not.toHaveProperty("optionalDependencies");
  });

  test("lets npm go on only without what is optional on every way to it", () => {
    const platform = { version: "1.0.0", optional: true, os: ["linux"] };
    const packages = {
      "node_modules/root": { version: "1.0.0", optional: true, dependencies: { shared: "*" } },
      "node_modules/other": { version: "1.0.0", optionalDependencies: { platform: "*", shared: "*" } },
      "node_modules/platform": platform,
      "node_modules/shared": { version: "1.0.0", optional: true, devOptional: true },
    };
    const { document } = prunePackageLock({ lockfileVersion: 3, packages }, "x", ["other", "root"]);
    expect(document.packages["node_modules/platform"]).toEqual(platform);
    for (const path of ["node_modules/root", "node_modules/shared"]) {
      expect(document.packages[path]).not.toHaveProperty("optional");
      expect(document.packages[path]).not.toHaveProperty("devOptional");
    }
  });

  test("says what is missing", () => {
    expect(() => prunePackageLock(lock, "x", ["z"])).toThrow(/does not have z/);
    const broken = { ...lock, packages: { "node_modules/a": { version: "1.0.0", dependencies: { b: "1" } } } };
    expect(() => prunePackageLock(broken, "x", ["a"])).toThrow(/node_modules\/a needs b/);
  });

  test("of the real lock file is complete", () => {
    expect(() =>
      prunePackageLock(readPackageLock(ROOT), "x", ["sharp", "@duckdb/node-api", "@node-rs/crc32"]),
    ).not.toThrow();
  });
});

describe("the bundles of the other capabilities", () => {
  const filesOf = (name: RuntimeContract) => bundleFiles(bundleRuntime(name));
  const dependencies = (name: RuntimeContract) =>
    Object.keys(JSON.parse(Buffer.from(filesOf(name).get("package.json") ?? []).toString("utf8")).dependencies);

  test("have their workers beside the entry", () => {
    expect([...filesOf(trainContract).keys()]).toEqual(expect.arrayContaining(["index.js", "replica-worker.js"]));
    for (const contract of [ingestContract, serveContract])
      expect([...filesOf(contract).keys()]).toContain("codec-worker.js");
    for (const contract of [serveContract, scoreContract, trainContract])
      expect([...filesOf(contract).keys()]).toEqual(expect.arrayContaining(["index.js", "answer-worker.js"]));
  });

  test("install what cannot be bundled and what the contract names, and nothing that they do not use", () => {
    const without = (names: readonly string[]) => dependencies(serveContract).filter((name) => !names.includes(name));
    // It decodes curated pages alone.
    const decoding = ["charls", "openjpeg", "openjph"].map((name) => `@cornerstonejs/codec-${name}`);
    expect(dependencies(scoreContract)).toEqual(without(decoding));
    // It takes no model.
    const answering = ["onnxruntime-node", "piscina"];
    expect(dependencies(preprocessContract)).toEqual(without([...decoding, ...answering]));
    expect(dependencies(serveContract)).toEqual([
      ...decoding,
      "@duckdb/node-api",
      "@google-cloud/bigquery",
      "@google-cloud/bigquery-storage",
      "@grpc/grpc-js",
      "@node-rs/crc32",
      "onnxruntime-node",
      "piscina",
      "sharp",
    ]);
    expect(dependencies(trainContract)).toContain("@tensorflow/tfjs-node-gpu");
  });
});

test("a script keeps its variables: Terraform's interpolation is escaped, and the hash is the script's own", () => {
  expect(escapeTemplate(`a ${ref("B:-c")} $D %{if}`)).toBe(`a $${ref("B:-c")} $D %%{if}`);
  const { text, sha256 } = readScript("constructs/train/run-training.sh");
  const file = readFileSync(join(ROOT, "constructs/train/run-training.sh"));
  expect(sha256).toBe(createHash("sha256").update(file).digest("hex"));
  expect(text).toContain("$${GCE_METADATA_HOST:-");
});
