import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { bundleFiles, bundleRuntime } from "../../constructs/core/runtime-bundle";
import type { RuntimeContract } from "../../runtime/platform/contract";
import { type Json, PROD, type Resource, stackOf, synthesize, TEST } from "../stacks/synthesize";

const ROOT = resolve(__dirname, "../..");

/** What the architecture calls paired: a folder of this name in constructs/ and in runtime/, or in neither. */
const PAIRED = ["ingest", "preprocess", "features", "train", "serve", "retrain", "monitor"];

/** Run on a laptop and not yet in the cloud. Names leave this list and none is added. */
const PENDING = ["preprocess", "train", "serve"];

const hasRuntime = (name: string) => existsSync(join(ROOT, "runtime", name));
const hasConstruct = (name: string) => existsSync(join(ROOT, "constructs", name));
const folders = (area: string) => readdirSync(join(ROOT, area), { withFileTypes: true }).filter((e) => e.isDirectory());

/** The contract that a capability exports, whatever it calls it. */
function contractOf(name: string): RuntimeContract {
  const exported = Object.values(require(join(ROOT, "runtime", name, "contract")) as Record<string, unknown>);
  const found = exported.filter(
    (value): value is RuntimeContract =>
      typeof value === "object" && value !== null && "entry" in value && "env" in value,
  );
  if (found.length !== 1)
    throw new Error(`runtime/${name}/contract.ts must export one contract; it has ${found.length}.`);
  return found[0] as RuntimeContract;
}

describe("the house", () => {
  test.each(PAIRED)("%s stands on both sides, or is pending, or is not there yet", (name) => {
    if (PENDING.includes(name)) {
      expect({ name, runtime: hasRuntime(name) }).toEqual({ name, runtime: true });
      // Its construct has come: take the name off the list.
      expect({ name, construct: hasConstruct(name) }).toEqual({ name, construct: false });
    } else {
      expect({ name, construct: hasConstruct(name) }).toEqual({ name, construct: hasRuntime(name) });
    }
  });

  test("only a paired capability has a contract, and each has one", () => {
    const withContract = folders("runtime")
      .map(({ name }) => name)
      .filter((name) => existsSync(join(ROOT, "runtime", name, "contract.ts")) && name !== "platform");
    expect(withContract.sort()).toEqual(PAIRED.filter(hasRuntime).sort());
  });

  test("what is pending is paired", () => {
    expect(PAIRED).toEqual(expect.arrayContaining(PENDING));
  });
});

describe.each(PAIRED.filter(hasRuntime))("the contract of %s", (name) => {
  test("has the name of its folder and an entry that exists", () => {
    const contract = contractOf(name);
    expect(contract.name).toBe(name);
    expect(existsSync(join(ROOT, contract.entry))).toBe(true);
  });

  test("declares each bucket once: what may be written needs no right to create", () => {
    const { reads, creates, writes } = contractOf(name);
    for (const list of [reads, creates, writes]) expect(new Set(list).size).toBe(list.length);
    expect(creates.filter((bucket) => writes.includes(bucket))).toEqual([]);
  });
});

const DEPLOYED = PAIRED.filter((name) => hasRuntime(name) && hasConstruct(name));

describe.each(DEPLOYED)("%s as deployed", (name) => {
  const contract = contractOf(name);
  const app = synthesize([PROD, TEST]).stacks;

  describe.each([PROD, TEST])("for $name", (hospital) => {
    const stack = stackOf(app, `${hospital.name}-app`);
    const own = stack.resources().filter(({ path }) => path.startsWith(`${hospital.name}-app/${name}/`));
    const identities = runtimeIdentities(own);

    test("gets the environment of its contract: all that is required and nothing unknown", () => {
      const bound = own.flatMap(({ config }) => Object.keys(environment(config)));
      const shape = contract.env.shape;
      const required = Object.keys(shape).filter((key) => !shape[key]?.safeParse(undefined).success);
      expect(bound.length).toBeGreaterThan(0);
      expect(Object.keys(shape)).toEqual(expect.arrayContaining(bound));
      expect(bound).toEqual(expect.arrayContaining(required));
    });

    test("runs as one identity of its own", () => {
      expect(identities).toHaveLength(1);
      expect(own.map(({ logicalId }) => logicalId)).toContain(identities[0]);
    });

    test("may do with buckets what its contract declares, no more and no less", () => {
      expect(bucketGrants(stack.resources(), identities, hospital)).toEqual(declaredGrants(contract));
    });

    test("has no role on the project", () => {
      const member = `\${google_service_account.${identities[0]}.member}`;
      const roles = stack.resources("google_project_iam_member").filter(({ config }) => config.member === member);
      expect(roles).toEqual([]);
    });

    test("is probed where its contract says", () => {
      const { startup, liveness } = probePaths(own);
      if (contract.health === null) expect([...startup, ...liveness]).toEqual([]);
      else {
        expect(startup).toEqual([contract.health.startup]);
        expect(liveness).toEqual([contract.health.liveness]);
      }
    });
  });

  test("is bundled with its entry: it loads under the deployed environment and has what the platform calls", () => {
    const folder = mkdtempSync(join(tmpdir(), "bundle-"));
    try {
      const files = bundleFiles(bundleRuntime(contract));
      const deployed = environment(
        stackOf(app, `${PROD.name}-app`)
          .resources()
          .map(({ config }) => config),
      );
      for (const [path, content] of files) writeFileSync(join(folder, path), content);
      const script = `
        const exported = require(${JSON.stringify(folder)});
        process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(exported).map(([k, v]) => [k, typeof v]))));
        process.exit(0);`;
      const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
        encoding: "utf8",
        cwd: folder,
        // NODE_PATH: native packages, which the platform installs beside the bundle.
        env: { ...deployed, PATH: process.env.PATH, NODE_PATH: join(ROOT, "node_modules") },
      });
      expect(stderr).toBe("");
      expect(JSON.parse(stdout)).toMatchObject({ [contract.target]: "function" });
      if (contract.health) {
        const code = Buffer.from(files.get("index.js") ?? []).toString("utf8");
        expect(code).toContain(`ref("contract.health.startup")`);
        expect(code).toContain(`ref("contract.health.liveness")`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** The environment variables that a resource sets: functions have a map, containers a list of pairs. */
function environment(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  const found: Record<string, string> = {};
  for (const [key, inner] of Object.entries(value as Json)) {
    if (key === "environment_variables") Object.assign(found, inner);
    else if (key === "env" && Array.isArray(inner))
      Object.assign(found, Object.fromEntries(inner.map((pair: Json) => [pair.name, String(pair.value)])));
    else Object.assign(found, environment(inner));
  }
  return found;
}

/** Logical ids of the service accounts that workloads run as; what builds or calls them is not among these. */
function runtimeIdentities(resources: readonly Resource[]): string[] {
  const found = resources.flatMap(({ config }) => {
    const service = config.service_config as Json | undefined;
    const template = config.template as Json | undefined;
    const email = service?.service_account_email ?? template?.service_account;
    const id = /google_service_account\.([\w-]+)\.email/.exec(String(email))?.[1];
    return id ? [id] : [];
  });
  return [...new Set(found)];
}

/** `bucket role`, sorted, of every grant on a bucket that identities have anywhere in a stack. */
function bucketGrants(resources: readonly Resource[], identities: readonly string[], hospital: typeof PROD): string[] {
  const members = identities.map((id) => `\${google_service_account.${id}.member}`);
  return resources
    .filter(
      ({ type, config }) => type === "google_storage_bucket_iam_member" && members.includes(String(config.member)),
    )
    .map(({ config }) => {
      expect(config.condition).toBeUndefined();
      return `${String(config.bucket).replace(`${hospital.project}-${hospital.name}-`, "")} ${config.role}`;
    })
    .sort();
}

/** What a contract's words mean in roles, spelt out here and not taken from the constructs. */
function declaredGrants({ reads, creates, writes, appends }: RuntimeContract): string[] {
  const writable = new Set<string>(appends.length > 0 ? [...writes, "warehouse"] : writes);
  return [
    ...[...writable].map((bucket) => `${bucket} roles/storage.objectUser`),
    ...reads.filter((bucket) => !writable.has(bucket)).map((bucket) => `${bucket} roles/storage.objectViewer`),
    ...creates.filter((bucket) => !writable.has(bucket)).map((bucket) => `${bucket} roles/storage.objectCreator`),
  ].sort();
}

function probePaths(resources: readonly Resource[]): { startup: string[]; liveness: string[] } {
  const paths = (kind: string, value: unknown): string[] => {
    if (Array.isArray(value)) return value.flatMap((inner) => paths(kind, inner));
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value as Json).flatMap(([key, inner]) =>
      key === kind ? [String(((inner as Json).http_get as Json | undefined)?.path)] : paths(kind, inner),
    );
  };
  const all = resources.map(({ config }) => config);
  return { startup: paths("startup_probe", all), liveness: paths("liveness_probe", all) };
}
