import { StorageBucketObject } from "@cdktf/provider-google/lib/storage-bucket-object";
import type { IConstruct } from "constructs";
import { App, type ITerraformDependable, TerraformStack } from "../../../constructs/core/cdktf";
import { Identity, runsAs } from "../../../constructs/core/identity";
import { hospitalKeysFromNames } from "../../../constructs/security";
import { hospitalBucketsFromNames } from "../../../constructs/storage";
import { belowFolders, onlyObjects } from "../../../constructs/storage/place-condition";
import { BUCKETS } from "../../../runtime/platform/contract";
import { KEY_DAYS, KEYS } from "../../../runtime/serve/kept/idempotency";
import { parseHospitals } from "../../../stacks/config";
import { type Json, PROD, ref, stackOf, synthesize, TEST } from "../../stacks/synthesize";

const { stacks } = synthesize([PROD, TEST]);
const prod = stackOf(stacks, "st-anna-data");
const sandbox = stackOf(stacks, "sandbox-data");
const prodKey = "projects/mri-st-anna/locations/europe-west4/keyRings/brain-tumor-st-anna/cryptoKeys/data";

describe.each(BUCKETS)("the bucket %s", (bucket) => {
  const config = prod.resource("google_storage_bucket", bucket);

  test("is versioned, never public, uniformly accessed and encrypted with the hospital's key", () => {
    expect(config).toMatchObject({
      name: `mri-st-anna-st-anna-${bucket}`,
      project: "mri-st-anna",
      location: "europe-west4",
      uniform_bucket_level_access: true,
      public_access_prevention: "enforced",
      versioning: { enabled: true },
      encryption: { default_kms_key_name: prodKey },
      labels: { "data-class": "phi" },
      logging: { log_bucket: "mri-st-anna-st-anna-access-log", log_object_prefix: `mri-st-anna-st-anna-${bucket}` },
    });
  });

  test("deletes versions that were replaced and never what is current", () => {
    const rules = config.lifecycle_rule as { action: Json; condition: Json }[];
    const deletes = rules.filter(({ action }) => action.type === "Delete");
    expect(deletes.length).toBeGreaterThan(0);
    // What is kept of answers, and of requests under a key, goes after some days, and that alone.
    const answers = deletes.filter(({ condition }) => condition.matches_prefix !== undefined);
    expect(answers.map(({ condition }) => condition)).toEqual(
      bucket === "reports"
        ? [
            { age: 30, matches_prefix: ["answers/"], with_state: "LIVE" },
            { days_since_noncurrent_time: 1, matches_prefix: ["answers/"], with_state: "ARCHIVED" },
            { age: KEY_DAYS, matches_prefix: [KEYS], with_state: "LIVE" },
            { days_since_noncurrent_time: 1, matches_prefix: [KEYS], with_state: "ARCHIVED" },
          ]
        : [],
    );
    for (const { condition } of deletes.filter((rule) => !answers.includes(rule))) {
      expect(condition.with_state).toBe("ARCHIVED");
      expect(condition.days_since_noncurrent_time).toBeGreaterThanOrEqual(30);
    }
    expect(rules.map(({ action }) => action.type)).toContain("AbortIncompleteMultipartUpload");
  });

  test("comes after the grants that let the service agents use the key", () => {
    expect(config.depends_on).toEqual(
      expect.arrayContaining([expect.stringMatching(/^google_kms_crypto_key_iam_member\..*storage/)]),
    );
  });

  test("is kept in prod, and gone at once where a line says destroy", () => {
    expect(config).toMatchObject({
      force_destroy: false,
      lifecycle: { prevent_destroy: true },
      soft_delete_policy: { retention_duration_seconds: 2_592_000 },
    });
    const disposable = sandbox.resource("google_storage_bucket", bucket);
    expect(disposable).toMatchObject({ force_destroy: true, soft_delete_policy: { retention_duration_seconds: 0 } });
    expect(disposable).not.toHaveProperty("lifecycle");
  });
});

test("landed files go after the days of the line, with every version and for good; all else stays as it was", () => {
  const kept = synthesize([PROD]).stacks;
  const { stacks: going } = synthesize([{ ...PROD, landingDays: 40 }]);
  const landing = stackOf(going, "st-anna-data").resource("google_storage_bucket", "landing");
  expect(landing.soft_delete_policy).toEqual({ retention_duration_seconds: 0 });
  const rules = landing.lifecycle_rule as Json[];
  const below = rules.map(({ condition }) => condition as Json).filter(({ matches_prefix }) => matches_prefix);
  expect(below).toEqual(
    ["Cancer/", "Non-Cancer/", "Unlabelled/", "masks/"].flatMap((folder) => [
      { age: 40, matches_prefix: [folder], with_state: "LIVE" },
      { days_since_noncurrent_time: 1, matches_prefix: [folder], with_state: "ARCHIVED" },
    ]),
  );
  const rest = (stacks: typeof kept) =>
    stackOf(stacks, "st-anna-data")
      .resources()
      .filter(({ logicalId }) => logicalId !== "landing");
  expect(rest(going)).toEqual(rest(kept));
  for (const landingDays of [31, 3651, 40.5, "40"])
    expect(() => parseHospitals([{ ...PROD, landingDays }])).toThrow(/landingDays/);
});

test("usage logs can be switched off, where an organisation lets no group of Google's in: grant and logging go, buckets stay", () => {
  const line = { ...PROD, usageLogs: false };
  const off = synthesize([line, TEST]).stacks;
  for (const name of ["st-anna-data", "st-anna-app"]) {
    expect(stackOf(off, name).text).not.toContain("cloud-storage-analytics");
    for (const { config } of stackOf(off, name).resources("google_storage_bucket"))
      expect(config).not.toHaveProperty("logging");
    const buckets = (found: typeof off) => stackOf(found, name).resources("google_storage_bucket");
    expect(buckets(off).map(({ logicalId }) => logicalId)).toEqual(buckets(stacks).map(({ logicalId }) => logicalId));
  }
  // The rule that asks for the trace reads why there is none.
  expect((stackOf(off, "st-anna-data").json["//"] as Json).acknowledged).toMatchObject({
    "bucket-access-log": expect.stringContaining("usageLogs: false"),
  });
  expect(stackOf(off, "sandbox-data").text).toContain("cloud-storage-analytics");
});

test("there are no other buckets in the data stack", () => {
  expect(
    prod
      .resources("google_storage_bucket")
      .map(({ logicalId }) => logicalId)
      .sort(),
  ).toEqual([...BUCKETS, "access_logs"].sort());
});

describe("the bucket of access logs", () => {
  const config = prod.resource("google_storage_bucket", "access_logs");

  test("is as safe as the others and logs nothing about itself", () => {
    expect(config).toMatchObject({
      uniform_bucket_level_access: true,
      public_access_prevention: "enforced",
      encryption: { default_kms_key_name: prodKey },
      lifecycle: { prevent_destroy: true },
    });
    expect(config).not.toHaveProperty("logging");
  });

  test("takes logs from Cloud Storage alone, and loses them after more than a year", () => {
    const writers = prod
      .resources("google_storage_bucket_iam_member")
      .filter(({ config: grant }) => grant.bucket === ref("google_storage_bucket.access_logs.name"));
    expect(writers.map(({ config: { member, role } }) => ({ member, role }))).toEqual([
      { member: "group:cloud-storage-analytics@google.com", role: "roles/storage.objectCreator" },
    ]);
    const rules = config.lifecycle_rule as { action: Json; condition: Json }[];
    const current = rules.filter(
      ({ action, condition }) => action.type === "Delete" && condition.with_state === "LIVE",
    );
    expect(current.map(({ condition }) => condition.age)).toEqual([400]);
  });

  test("is there before the first bucket that writes into it", () => {
    for (const bucket of BUCKETS)
      expect(prod.resource("google_storage_bucket", bucket).depends_on).toContain("google_storage_bucket.access_logs");
  });
});

test("prod can be destroyed after a deploy with allowDestroys, and nothing is replaced by that", () => {
  const open = stackOf(synthesize([{ ...PROD, allowDestroys: true }]).stacks, "st-anna-data");
  expect(open.text).not.toContain("prevent_destroy");
  for (const { type, logicalId, config } of prod.resources()) {
    const {
      lifecycle: _lifecycle,
      force_destroy: _force,
      soft_delete_policy: _soft,
      deletion_protection: _protection,
      delete_contents_on_destroy: _contents,
      ...rest
    } = config;
    expect(open.resource(type, logicalId)).toMatchObject(rest);
  }
});

/** An identity of its own, and the buckets of a hospital. */
function granting() {
  const stack = new TerraformStack(new App(), "s");
  const identity = new Identity(stack, "identity", { hospital: PROD, role: "r", description: "d" });
  const buckets = hospitalBucketsFromNames(PROD, hospitalKeysFromNames(PROD, { shared: false }).data);
  const granted = (bucket: string) =>
    identity.node.children.map(({ node }) => node.id).filter((id) => id.startsWith(`${bucket}-`));
  const members = () =>
    Object.values((stack.toTerraform() as Json).resource as Record<string, Record<string, Json>>)
      .flatMap((instances) => Object.values(instances))
      .filter(({ bucket }) => bucket !== undefined);
  return { stack, identity, buckets, granted, members };
}

test.each([
  [["grantRead", "grantCreate", "grantWrite"]],
  [["grantWrite", "grantCreate", "grantRead"]],
  [["grantWrite", "grantWrite"]],
] as const)("who may write gets no second role: %j", (calls) => {
  const { identity, buckets, granted } = granting();
  for (const call of calls) buckets.models[call](identity);
  expect(granted("models")).toEqual(["models-write"]);
});

test.each([
  ["create", ["grantAppend", "grantCreate"], ["warehouse-create"]],
  ["create", ["grantCreate", "grantAppend"], ["warehouse-create"]],
  ["write", ["grantAppend", "grantWrite", "grantAppend"], ["warehouse-write"]],
  ["write", ["grantReplace", "grantWrite", "grantReplace"], ["warehouse-write"]],
  ["read and append", ["grantRead", "grantAppend"], ["warehouse-read", "warehouse-append"]],
] as const)("who may %s after %j gets no second role", (_what, calls, expected) => {
  const { identity, buckets, granted, members } = granting();
  for (const call of calls) buckets.warehouse[call](identity, [call === "grantReplace" ? "current.json" : "images/"]);
  expect(granted("warehouse")).toEqual(expected);
  for (const { role, condition } of members())
    expect([role, condition === undefined]).toEqual([
      role,
      !expected.some((id) => id.endsWith("-append")) || /Viewer/.test(String(role)),
    ]);
});

test("appending is creating below the folders that an identity was given, by one member whose condition grows", () => {
  const { identity, buckets, members } = granting();
  buckets.warehouse.grantAppend(identity, ["predictions/"]);
  buckets.warehouse.grantAppend(identity, ["images/", "predictions/"]);
  const below = (folder: string) =>
    `resource.name.startsWith("projects/_/buckets/mri-st-anna-st-anna-warehouse/objects/${folder}")`;
  expect(members()).toEqual([
    expect.objectContaining({
      bucket: "mri-st-anna-st-anna-warehouse",
      role: "roles/storage.objectCreator",
      condition: {
        title: "adds below images/, predictions/",
        description: expect.any(String),
        expression: `${below("images/")} || ${below("predictions/")}`,
      },
      // Another table is another condition, and so another member: nobody is without one meanwhile.
      lifecycle: { create_before_destroy: true },
    }),
  ]);
});

test("a folder may stay closed below one that is open, and none that is closed anyway", () => {
  const { identity, buckets, members } = granting();
  buckets.landing.grantAppend(identity, ["Unlabelled/"], ["Unlabelled/gateway/"]);
  const below = (folder: string) =>
    `resource.name.startsWith("projects/_/buckets/mri-st-anna-st-anna-landing/objects/${folder}")`;
  const condition = () => (members()[0] as Record<string, unknown>).condition;
  expect(condition()).toEqual({
    title: "adds below Unlabelled/ but Unlabelled/gateway/",
    description: expect.any(String),
    expression: `${below("Unlabelled/")} && !${below("Unlabelled/gateway/")}`,
  });
  buckets.landing.grantAppend(identity, ["More/"]);
  expect(condition()).toMatchObject({
    expression: `(${below("More/")} || ${below("Unlabelled/")}) && !${below("Unlabelled/gateway/")}`,
  });
  for (const except of ["Unlabelled/", "Cancer/", "Unlabelled"])
    expect(() => belowFolders("b", ["Unlabelled/"], [except])).toThrow(/lies below none of|must end in a slash/);
});

test("replacing is using some objects by their whole names, and no grant on places is one on all of the bucket", () => {
  const { identity, buckets, members } = granting();
  buckets.models.grantReplace(identity, ["current.json"]);
  buckets.models.grantReplace(identity, ["b/other.json", "current.json"]);
  const named = (name: string) => `resource.name == "projects/_/buckets/mri-st-anna-st-anna-models/objects/${name}"`;
  expect(members()).toEqual([
    expect.objectContaining({
      role: "roles/storage.objectUser",
      condition: {
        title: "replaces b/other.json, current.json",
        description: expect.any(String),
        expression: `${named("b/other.json")} || ${named("current.json")}`,
      },
    }),
  ]);
  expect(onlyObjects("b", ["evaluation/", "lease.json"]).expression).toBe(
    `resource.name.startsWith("projects/_/buckets/b/objects/evaluation/") || resource.name == "projects/_/buckets/b/objects/lease.json"`,
  );
  for (const open of ["", "/", 'a" || true || "', "*"])
    expect(() => onlyObjects("b", [open])).toThrow(/is no object that a condition can name/);
  for (const grant of ["grantReplace", "grantAppend"] as const)
    expect(() => buckets.reports[grant](identity, [])).toThrow(/that would be all of it/);
});

test("a folder that a condition would open too far is refused, and more of them than IAM takes", () => {
  const { identity, buckets, members } = granting();
  for (const open of ["images", "", "/", 'images/") || true || ("/', "images/*/"])
    expect(() => belowFolders("b", [open])).toThrow(/is no folder that a condition can name: it must end in a slash/);
  const tables = Array.from({ length: 13 }, (_, index) => `a_table_with_a_long_name_${index}/`);
  expect(belowFolders("b", tables).title).toBe("adds below 13 folders");
  expect(() => belowFolders("b", [...tables, "one-more/"])).toThrow(
    /^14 folders of b are more than one condition may name \(13\): a_table/,
  );
  buckets.warehouse.grantAppend(identity, tables);
  const [member] = members() as [{ condition: Record<string, string> }];
  expect(String(member.condition.title).length).toBeLessThanOrEqual(100);
  expect(String(member.condition.description).length).toBeLessThanOrEqual(256);
});

test("a grant gives what a consumer waits for: the member and the use of the key", () => {
  const { identity, buckets } = granting();
  const paths = (grants: readonly ITerraformDependable[]) =>
    grants.map((grant) => (grant as unknown as IConstruct).node.path.replace("s/identity/", ""));
  const { models } = buckets;
  expect(paths(models.grantRead(identity))).toEqual(["models-read", "key-data-cryptoKeyDecrypter"]);
  expect(paths(models.grantRead(identity))).toEqual(["models-read", "key-data-cryptoKeyDecrypter"]);
  expect(paths(models.grantAppend(identity, ["a/"]))).toEqual(["models-append", "key-data-cryptoKeyEncrypter"]);
  expect(paths(models.grantCreate(identity))).toEqual(["models-create", "key-data-cryptoKeyEncrypter"]);
  expect(paths(models.grantWrite(identity))).toEqual(["models-write", "key-data-cryptoKeyEncrypterDecrypter"]);
  expect(paths(models.grantCreate(identity))).toEqual(["models-write", "key-data-cryptoKeyEncrypter"]);
});

test("a workload waits for rights that are granted after it was made, and not for one that a wider one replaced", () => {
  const { stack, identity, buckets } = granting();
  const other = new Identity(stack, "other", { hospital: PROD, role: "o", description: "d" });
  buckets.models.grantRead(identity);
  const workload = new StorageBucketObject(stack, "workload", { bucket: "b", name: "n", dependsOn: [other.account] });
  runsAs(workload, identity, other);
  buckets.models.grantWrite(identity);
  buckets.landing.grantRead(other);
  const { resource } = stack.toTerraform() as { resource: Record<string, Record<string, Json>> };
  const awaited = resource.google_storage_bucket_object?.workload?.depends_on as string[];
  expect(awaited.map((address) => address.replace(/_[0-9A-F]{8}$/, ""))).toEqual([
    "google_service_account.other_account",
    "google_kms_crypto_key_iam_member.identity_key-data-cryptoKeyDecrypter",
    "google_storage_bucket_iam_member.identity_models-write",
    "google_kms_crypto_key_iam_member.identity_key-data-cryptoKeyEncrypterDecrypter",
    "google_storage_bucket_iam_member.other_landing-read",
    "google_kms_crypto_key_iam_member.other_key-data-cryptoKeyDecrypter",
  ]);
});
