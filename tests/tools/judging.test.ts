import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImageLock } from "../../stacks/images";
import { checkSchema } from "../../tools/check-schema";
import { deployOrder, orderProblems } from "../../tools/deploy-order";
import { planGuard, stateLosses } from "../../tools/plan-guard";
import { policy } from "../../tools/policy";
import { googleSchema } from "../../tools/provider-schema";
import { type Json, type SynthesizedStack, withScratch } from "../../tools/synthesized";
import { firstPlan } from "../../tools/terraform";
import { EXAMPLE_IMAGES, withTierStacks } from "../../tools/tiers";
import { verifyTerraform } from "../../tools/verify-terraform";
import { captureOutput } from "../support/captured-output";

const printed = captureOutput();

const stacks = withTierStacks(undefined, (all) => structuredClone(all) as SynthesizedStack[]);
const stackNamed = (name: string) => {
  const found = stacks.find((stack) => stack.name === name);
  if (!found) throw new Error(`There is no stack ${name}`);
  return found;
};

describe("the provider's schema", () => {
  const schema = googleSchema();
  const problemsOf = (type: string, config: Json) =>
    checkSchema(schema, { resource: { [type]: { it: config } } }).map(({ kind, path }) => `${kind} ${path}`);
  const bucket = { name: "b", location: "EU" };

  test.each(stacks.map((stack) => [stack.name, stack] as const))("accepts %s", (_name, { json }) => {
    expect(checkSchema(schema, json)).toEqual([]);
  });

  test.each<[string, Json, string[]]>([
    ["an unknown argument", { ...bucket, versionning: { enabled: true } }, ["unknown-argument versionning"]],
    [
      "an unknown argument of a block",
      { ...bucket, versioning: { enable: true } },
      ["unknown-argument versioning.enable", "missing-argument versioning.enabled"],
    ],
    ["a wrong type", { ...bucket, force_destroy: "yes" }, ["wrong-type force_destroy"]],
    ["a number for a text", { name: 7, location: "EU" }, ["wrong-type name"]],
    ["a list for a map", { ...bucket, labels: ["a"] }, ["wrong-type labels"]],
    ["a text for a block", { ...bucket, versioning: "on" }, ["wrong-type versioning"]],
    ["a missing argument", { name: "b" }, ["missing-argument location"]],
    [
      "a missing argument deep down",
      { ...bucket, lifecycle_rule: [{ action: {}, condition: {} }] },
      ["missing-argument lifecycle_rule[0].action.type"],
    ],
    ["a computed one that is set", { ...bucket, self_link: "x" }, ["computed-argument self_link"]],
    [
      "an unknown lifecycle",
      { ...bucket, lifecycle: { prevent_destory: true } },
      ["unknown-argument lifecycle.prevent_destory"],
    ],
  ])("refuses %s", (_what, config, expected) => {
    expect(problemsOf("google_storage_bucket", config)).toEqual(expected);
  });

  test("leaves expressions and meta-arguments to Terraform", () => {
    const reference = ["$", "{google_kms_crypto_key.data.id}"].join("");
    const config = { ...bucket, versioning: reference, depends_on: ["x.y"], lifecycle: { prevent_destroy: true } };
    expect(problemsOf("google_storage_bucket", config)).toEqual([]);
  });

  test("knows no resource of another provider, and looks at data sources and the provider too", () => {
    expect(problemsOf("google_storage_buckett", {})).toEqual(["unknown-type "]);
    const json = { data: { google_project: { p: { projectt: "x" } } }, provider: { google: [{ regionn: "x" }] } };
    expect(checkSchema(schema, json).map(({ address, path }) => `${address} ${path}`)).toEqual([
      "data.google_project.p projectt",
      "provider.google regionn",
    ]);
  });
});

describe("npm run policy", () => {
  const PLANTED: readonly (readonly [rule: string, stack: string, type: string, config: Json])[] = [
    ["bucket-public-access-prevention", "prod-data", "google_storage_bucket", { name: "planted", location: "EU" }],
    [
      "no-public-member",
      "prod-app",
      "google_cloud_run_v2_service_iam_member",
      { name: "s", role: "roles/run.invoker", member: "allUsers" },
    ],
    [
      "no-basic-role",
      "prod-app",
      "google_project_iam_member",
      { project: "p", role: "roles/editor", member: "user:a@b.c" },
    ],
    ["pubsub-topic-cmek", "prod-app", "google_pubsub_topic", { name: "planted" }],
    [
      "no-ingress-from-anywhere",
      "prod-app",
      "google_compute_firewall",
      { network: "n", name: "in", allow: [{ protocol: "tcp" }], source_ranges: ["0.0.0.0/0"] },
    ],
    ["no-service-account-key", "prod-app", "google_service_account_key", { service_account_id: "a" }],
    [
      "no-egress-to-anywhere",
      "prod-app",
      "google_compute_firewall",
      {
        network: "n",
        name: "out",
        direction: "EGRESS",
        allow: [{ protocol: "all" }],
        destination_ranges: ["0.0.0.0/0"],
      },
    ],
  ];

  test("names every planted violation, its rule and what to do, and exits 1", async () => {
    const code = await withScratchStacks((name, json) => {
      for (const [rule, stack, type, config] of PLANTED) {
        if (stack !== name) continue;
        const types = json.resource as Record<string, Json>;
        types[type] = { ...types[type], [`planted_${rule}`]: config };
      }
    });
    expect(code).toBe(1);
    for (const [rule, , type] of PLANTED) {
      expect(printed()).toContain(rule);
      expect(printed()).toContain(`${type}.planted_${rule}`);
    }
    expect(printed()).toContain("CKV_GCP_114");
  });

  test("exits 0 on the stacks of every tier as they are", async () => {
    expect(await withScratchStacks(() => {})).toBe(0);
    expect(printed()).toMatch(/0 findings, \d+ acknowledged/);
  });

  describe("before images were pushed", () => {
    const line = {
      name: "st-anna",
      tier: "prod",
      project: "mri-st-anna",
      projectNumber: "483920174655",
      region: "europe-west4",
      serve: { domain: "mri.example.org" },
    };
    const NONE: ImageLock = { version: 1, images: {} };
    /** What the command says of this one hospital. */
    const check = async (images: ImageLock, ...more: string[]): Promise<string> => {
      const before = printed().length;
      const code = await withScratch((folder) => {
        writeFileSync(join(folder, "hospitals.json"), JSON.stringify([line]));
        return policy(["--hospitals", join(folder, "hospitals.json"), ...more], images);
      });
      expect(code).toBe(0);
      return printed().slice(before);
    };

    /** The list in what was printed to stdout and stderr. */
    const findings = (text: string) => JSON.parse(text.slice(0, text.lastIndexOf("]") + 1)) as unknown[];

    test("looks at what they will bring, with stand-ins, and says so", async () => {
      const resources = (text: string) => Number(/(\d+) resources/.exec(text)?.[1]);
      const before = await check(NONE);
      const after = await check(EXAMPLE_IMAGES);
      expect(resources(before)).toBe(resources(after));
      const sentence =
        "images.lock.json has no image serve, train: what runs them was checked with stand-ins in their place.";
      expect(before).toContain(sentence);
      expect(after).not.toContain("stand-ins");
    });

    test("finds what is wrong with what they will bring, whichever is missing", async () => {
      const { serve, train } = EXAMPLE_IMAGES.images;
      // Acknowledged, and so in the list: the redirect to HTTPS of the load balancer.
      for (const images of [{}, serve && { serve }, train && { train }])
        expect(findings(await check({ version: 1, images: images ?? {} }, "--json"))).toContainEqual(
          expect.objectContaining({ address: expect.stringMatching(/^google_compute_target_http_proxy\./) }),
        );
    });

    test("keeps in --out what would be deployed, without stand-ins", async () => {
      const folder = mkdtempSync(join(tmpdir(), "policy-out-"));
      try {
        await check(NONE, "--out", folder);
        const { resource } = JSON.parse(readFileSync(join(folder, "stacks/st-anna-app/cdk.tf.json"), "utf8"));
        expect(Object.keys(resource)).toContain("google_cloudfunctions2_function");
        expect(Object.keys(resource)).not.toContain("google_cloud_run_v2_service");
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });

  test("lists its rules with the numbers that they mirror", async () => {
    expect(await policy(["--rules"])).toBe(0);
    expect(printed()).toMatch(/kms-rotation +CKV_GCP_43, CIS 1\.10/);
  });

  test.each([[["--dir", "/nowhere"]], [["--nonsense"]]])("%j is wrong usage", async (args) => {
    expect(await policy(args)).toBe(2);
  });

  async function withScratchStacks(change: (name: string, json: Json) => void): Promise<number> {
    const folder = mkdtempSync(join(tmpdir(), "policy-"));
    for (const { name, json } of stacks) {
      const copy = structuredClone(json);
      change(name, copy);
      mkdirSync(join(folder, "stacks", name), { recursive: true });
      writeFileSync(join(folder, "stacks", name, "cdk.tf.json"), JSON.stringify(copy));
    }
    try {
      return await policy(["--dir", folder]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
});

describe("npm run plan-guard", () => {
  const change = (type: string, actions: string[], more: Json = {}) => ({
    address: `${type}.it`,
    mode: "managed",
    type,
    change: { actions, before: {}, ...more },
  });
  const plan = (...changes: object[]) => ({ format_version: "1.2", planned_values: {}, resource_changes: changes });
  const guard = (content: unknown, ...more: string[]) =>
    withScratch((folder) => {
      const file = join(folder, "plan.json");
      writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
      // The file is read before the first await.
      return planGuard([file, ...more]);
    });

  const LOSSES = plan(
    change("google_storage_bucket", ["delete"]),
    change("google_bigquery_table", ["delete", "create"], { replace_paths: [["schema"], ["location"]] }),
    change("google_kms_crypto_key", ["create", "delete"]),
    change("google_secret_manager_secret", ["delete"]),
    change("google_logging_project_bucket_config", ["forget"]),
    change("google_storage_bucket_iam_member", ["delete"]),
    change("google_cloud_run_v2_service", ["delete", "create"]),
    change("google_logging_metric", ["delete"]),
    change("google_bigquery_dataset", ["update"]),
    change("google_bigquery_table", ["delete"], { before: { view: [{ query: "SELECT 1" }] } }),
  );

  test("names every deletion and replacement of what holds state or serves, and nothing else", async () => {
    expect(stateLosses(LOSSES).map(({ address, action }) => `${action} ${address}`)).toEqual([
      "delete google_storage_bucket.it",
      "replace google_bigquery_table.it",
      "replace google_kms_crypto_key.it",
      "delete google_secret_manager_secret.it",
      "forget google_logging_project_bucket_config.it",
      "replace google_cloud_run_v2_service.it",
    ]);
    expect(await guard(LOSSES)).toBe(1);
    expect(printed()).toMatch(/replace +google_bigquery_table\.it +schema, location/);
  });

  test.each([
    "google_cloud_run_v2_service",
    "google_cloudfunctions2_function",
    "google_dataproc_workflow_template",
    "google_compute_instance_template",
    "google_compute_global_address",
    "google_compute_global_forwarding_rule",
    "google_compute_managed_ssl_certificate",
    "google_compute_backend_service",
    "google_storage_notification",
    "google_compute_network",
    "google_dns_managed_zone",
    "google_compute_security_policy",
  ])("names a %s that goes as something that serves", async (type) => {
    const going = plan(change(type, ["delete"]));
    expect(stateLosses(going)).toEqual([expect.objectContaining({ address: `${type}.it`, loses: "service" })]);
    expect(await guard(going)).toBe(1);
    expect(printed()).toMatch(new RegExp(`delete +${type}\\.it +service`));
    expect(await guard(going, "--allow", `${type}.it`)).toBe(0);
  });

  test.each([
    ["changes that Terraform put off", { complete: false }],
    ["changes that Terraform put off", { deferred_changes: [{ reason: "unknown" }] }],
    ["changes that are no list", { resource_changes: {} }],
  ])("refuses a plan with %s: what it takes away is not known", async (_what, more) => {
    expect(await guard({ ...plan(), ...more })).toBe(2);
    expect(await guard({ ...plan(), resource_changes: [null] })).toBe(0);
  });

  test("a plan without images.lock.json takes serving and training away, and is refused", async () => {
    const going = plan(
      change("google_cloud_run_v2_service", ["delete"]),
      change("google_compute_instance_template", ["delete"]),
      change("google_service_account", ["delete"]),
      change("google_storage_bucket", ["delete"]),
    );
    expect(await guard(going)).toBe(1);
    expect(printed()).toContain("would lose the state of 2 resources and take away 2 that serve");
    expect(printed()).toContain("images.lock.json");
  });

  test("lets through how code and images are renewed", async () => {
    const renewed = plan(
      // Another digest is another template, made before the old one goes.
      change("google_compute_instance_template", ["create", "delete"]),
      // Another bundle is another template of the same name: no workflow runs by it in that second.
      change("google_dataproc_workflow_template", ["delete", "create"], { replace_paths: [["jobs"]] }),
      change("google_cloud_run_v2_service", ["update"]),
      change("google_cloudfunctions2_function", ["update"]),
      // What a replacement that broke off has left.
      { ...change("google_compute_instance_template", ["delete"]), deposed: "8a1f0c3d" },
    );
    expect(stateLosses(renewed)).toEqual([]);
    expect(await guard(renewed)).toBe(0);
  });

  test("does not take every replacement for that", () => {
    const replaced = plan(
      change("google_compute_instance_template", ["delete", "create"]),
      change("google_compute_global_address", ["delete", "create"]),
      // The certificate of another domain is not there for an hour.
      change("google_compute_managed_ssl_certificate", ["create", "delete"]),
      change("google_cloudfunctions2_function", ["delete", "create"]),
    );
    expect(stateLosses(replaced).map(({ address }) => address)).toEqual([
      "google_compute_instance_template.it",
      "google_compute_global_address.it",
      "google_compute_managed_ssl_certificate.it",
      "google_cloudfunctions2_function.it",
    ]);
  });

  test("lets through what is named, each by itself", async () => {
    const two = plan(change("google_storage_bucket", ["delete"]), change("google_kms_key_ring", ["delete"]));
    expect(await guard(two, "--allow", "google_storage_bucket.it")).toBe(1);
    expect(printed()).toContain("google_kms_key_ring.it");
    expect(await guard(two, "--allow", "google_storage_bucket.it", "--allow", "google_kms_key_ring.it")).toBe(0);
  });

  test("accepts a plan that only makes and changes things", async () => {
    expect(
      await guard(plan(change("google_storage_bucket", ["create"]), change("google_kms_key_ring", ["update"]))),
    ).toBe(0);
  });

  test.each<[string, unknown]>([
    ["no JSON", "{"],
    ["a state", { format_version: "1.0", values: {} }],
    ["a list", []],
    ["a plan that failed", { ...plan(), errored: true }],
  ])("%s is wrong usage", async (_what, content) => {
    expect(await guard(content)).toBe(2);
  });

  test("no file is wrong usage", async () => {
    expect(await planGuard([])).toBe(2);
    expect(await planGuard(["/nowhere/plan.json"])).toBe(2);
  });
});

describe("the order of stacks", () => {
  test("is data before app within a hospital, and nothing crosses hospitals", () => {
    expect(orderProblems(stacks)).toEqual([]);
    const order = deployOrder(stacks);
    for (const name of ["prod", "test", "ephemeral"])
      expect(order.indexOf(`${name}-data`)).toBeLessThan(order.indexOf(`${name}-app`));
  });

  test("is refused where a stack waits for another hospital, not for its own data, or for itself", () => {
    const of = (name: string, ...dependencies: string[]) => ({ name, dependencies });
    expect(orderProblems([of("a-data"), of("b-data"), of("a-app", "b-data")])).toHaveLength(2);
    expect(() => deployOrder([of("a", "b"), of("b", "a")])).toThrow("a -> b -> a");
    expect(() => deployOrder([of("a", "gone")])).toThrow("gone, which is not there");
  });
});

describe("npm run verify:terraform", () => {
  const { PATH, TERRAFORM_BINARY_NAME } = process.env;
  afterEach(() => Object.assign(process.env, { PATH }));

  test("says in one line that nothing was verified where there is no Terraform", async () => {
    delete process.env.TERRAFORM_BINARY_NAME;
    process.env.PATH = "/nowhere";
    expect(await verifyTerraform([])).toBe(0);
    expect(printed()).toBe("Neither terraform nor tofu is on PATH: nothing was verified.\n");
    if (TERRAFORM_BINARY_NAME !== undefined) process.env.TERRAFORM_BINARY_NAME = TERRAFORM_BINARY_NAME;
  });
});

describe("a first plan", () => {
  const stack = { resource: { x: { a: {}, b: {} } } };
  const planned = (address: string, actions = ["create"], mode = "managed") => ({ address, mode, change: { actions } });

  test("creates everything", () => {
    expect(firstPlan({ resource_changes: [planned("x.a"), planned("x.b")] }, stack)).toEqual({
      creates: 2,
      problems: [],
    });
  });

  test("that reads, changes or leaves out something is reported", () => {
    const { problems } = firstPlan(
      { resource_changes: [planned("x.a", ["update"]), planned("data.y.z", ["read"], "data")] },
      stack,
    );
    expect(problems).toEqual([
      "x.a: the plan would update it.",
      "data.y.z: the plan would read it.",
      "x.b: the plan leaves it out.",
    ]);
  });

  test("of our stacks has no data source to read", () => {
    for (const { name } of stacks) expect(stackNamed(name).json).not.toHaveProperty("data");
  });
});
