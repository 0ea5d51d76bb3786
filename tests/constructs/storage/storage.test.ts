import { App, TerraformStack } from "../../../constructs/core/cdktf";
import { Identity } from "../../../constructs/core/identity";
import { hospitalKeysFromNames } from "../../../constructs/security";
import { hospitalBucketsFromNames } from "../../../constructs/storage";
import { BUCKETS } from "../../../runtime/platform/contract";
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
    for (const { condition } of deletes) {
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

test.each([
  [["grantRead", "grantCreate", "grantWrite"]],
  [["grantWrite", "grantCreate", "grantRead"]],
  [["grantWrite", "grantWrite"]],
] as const)("who may write gets no second role: %j", (calls) => {
  const stack = new TerraformStack(new App(), "s");
  const identity = new Identity(stack, "identity", { hospital: PROD, role: "r", description: "d" });
  const { models } = hospitalBucketsFromNames(PROD, hospitalKeysFromNames(PROD, { shared: false }).data);
  for (const call of calls) models[call](identity);
  const granted = identity.node.children.map(({ node }) => node.id).filter((id) => id.startsWith("models-"));
  expect(granted).toEqual(["models-write"]);
});
