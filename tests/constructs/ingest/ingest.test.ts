import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { serviceAgentMember } from "../../../constructs/core/service-agents";
import { type Json, PROD, type Resource, ref, stackOf, synthesize } from "../../stacks/synthesize";

const app = stackOf(synthesize([PROD]).stacks, "st-anna-app");
const only = (type: string, path: string): Resource => {
  const found = app.resources(type).filter((resource) => resource.path === `st-anna-app/ingest/${path}`);
  expect(found).toHaveLength(1);
  return found[0] as Resource;
};
const key = "projects/mri-st-anna/locations/europe-west4/keyRings/brain-tumor-st-anna/cryptoKeys/data";
const fn = only("google_cloudfunctions2_function", "function/function");

describe("the function", () => {
  test("is internal, Node 22, bounded, encrypted, and acts, builds and stores under names of its own", () => {
    const account = (path: string) => only("google_service_account", `${path}/account`).logicalId;
    expect(fn.config).toMatchObject({
      location: "europe-west4",
      kms_key_name: key,
      build_config: {
        runtime: "nodejs22",
        entry_point: "ingest",
        service_account: `\${google_service_account.${account("function/builder")}.id}`,
        docker_repository: expect.stringContaining("google_artifact_registry_repository."),
        source: { storage_source: { bucket: ref("google_storage_bucket.source.name") } },
      },
      service_config: {
        ingress_settings: "ALLOW_INTERNAL_ONLY",
        max_instance_count: 20,
        service_account_email: `\${google_service_account.${account("identity")}.email}`,
        available_memory: "2Gi",
      },
    });
    expect(only("google_artifact_registry_repository", "function/repository").config).toMatchObject({
      format: "DOCKER",
      kms_key_name: key,
    });
    const accounts = app.resources("google_service_account").map(({ path }) => path);
    expect(accounts.filter((path) => path.startsWith("st-anna-app/ingest/")).sort()).toEqual([
      "st-anna-app/ingest/function/builder/account",
      "st-anna-app/ingest/identity/account",
      "st-anna-app/ingest/identity/reader/account",
      "st-anna-app/ingest/subscription/pusher/account",
    ]);
  });

  test("is built only after its build identity may build, and that identity reads no bucket of scans", () => {
    const builder = app.resources().filter(({ path }) => path.startsWith("st-anna-app/ingest/function/builder/"));
    const grants = builder.filter(({ type }) => type.endsWith("_iam_member"));
    expect(grants.length).toBeGreaterThanOrEqual(4);
    expect(fn.config.depends_on).toEqual(
      expect.arrayContaining(grants.map(({ type, logicalId }) => `${type}.${logicalId}`)),
    );
    for (const { type, config } of grants) {
      if (String(config.role).startsWith("roles/storage") && type === "google_project_iam_member")
        expect((config.condition as Json).expression).toContain("gcf-v2-sources-483920174655-europe-west4");
      if (type === "google_storage_bucket_iam_member")
        expect(config.bucket).toBe(ref("google_storage_bucket.source.name"));
    }
  });

  test("is called by the push identity alone", () => {
    const invokers = app
      .resources()
      .filter(({ config }) => config.role === "roles/run.invoker" && /ingest/.test(String(config.name)));
    expect(invokers.map(({ path }) => path)).toEqual(["st-anna-app/ingest/subscription/pusher/invoke-ingest"]);
    expect(app.text).not.toMatch(/allUsers|allAuthenticatedUsers/);
  });

  test("and nobody but it and the service, which names DICOM that comes in, may compute pseudonyms", () => {
    const signers = app
      .resources()
      .filter(({ config }) => config.role === "roles/cloudkms.signerVerifier")
      .filter(({ config }) => !String(config.crypto_key_id).endsWith("/audit"));
    expect(signers.map(({ path }) => path)).toEqual(
      ["ingest", "serve"].map((name) => `st-anna-app/${name}/identity/key-pseudonym-signerVerifier`),
    );
    for (const { config } of signers) expect(config.crypto_key_id).toBe(key.replace(/data$/, "pseudonym"));
  });
});

describe("the way of an event", () => {
  const pubsub = serviceAgentMember(PROD, "pubsub");

  test("the bucket tells the topic of finished objects, once it may and once somebody listens", () => {
    const notification = only("google_storage_notification", "events/finalize").config;
    expect(notification).toMatchObject({
      bucket: "mri-st-anna-st-anna-landing",
      event_types: ["OBJECT_FINALIZE"],
      payload_format: "JSON_API_V1",
      topic: ref("google_pubsub_topic.landing.id"),
    });
    const publish = only("google_pubsub_topic_iam_member", "events/storage-publishes");
    expect(publish.config.member).toBe(serviceAgentMember(PROD, "storage"));
    expect(notification.depends_on).toEqual([
      `google_pubsub_topic_iam_member.${publish.logicalId}`,
      "google_pubsub_subscription.ingest",
    ]);
  });

  test("the subscription pushes with a token, retries, and gives up to a dead-letter topic", () => {
    const uri = `\${google_cloudfunctions2_function.${fn.logicalId}.service_config[0].uri}`;
    expect(app.resource("google_pubsub_subscription", "ingest")).toMatchObject({
      topic: ref("google_pubsub_topic.landing.id"),
      ack_deadline_seconds: (fn.config.service_config as Json).timeout_seconds,
      push_config: { push_endpoint: uri, oidc_token: { audience: uri } },
      retry_policy: { minimum_backoff: "10s", maximum_backoff: "600s" },
      dead_letter_policy: { dead_letter_topic: ref("google_pubsub_topic.landing_dead_letter.id") },
      expiration_policy: { ttl: "" },
    });
  });

  test("dead letters are kept, and Pub/Sub may forward them", () => {
    expect(app.resource("google_pubsub_subscription", "ingest_dead_letter")).toMatchObject({
      topic: ref("google_pubsub_topic.landing_dead_letter.id"),
      message_retention_duration: "2678400s",
      expiration_policy: { ttl: "" },
    });
    expect(only("google_pubsub_topic_iam_member", "subscription/pubsub-forwards").config).toMatchObject({
      topic: ref("google_pubsub_topic.landing_dead_letter.name"),
      role: "roles/pubsub.publisher",
      member: pubsub,
    });
    expect(only("google_pubsub_subscription_iam_member", "subscription/pubsub-acknowledges").config).toMatchObject({
      subscription: ref("google_pubsub_subscription.ingest.name"),
      role: "roles/pubsub.subscriber",
      member: pubsub,
    });
  });

  test("topics are encrypted and stay in the hospital's region", () => {
    for (const { config } of app.resources("google_pubsub_topic"))
      expect(config).toMatchObject({
        kms_key_name: key,
        message_storage_policy: { allowed_persistence_regions: ["europe-west4"] },
      });
  });
});

test("a misspelt, a missing and an extra variable do not compile, nor do a bucket by hand and a misspelt enum", () => {
  const root = resolve(__dirname, "../../..");
  const fixture = join(__dirname, "fixtures/wrong-bindings.ts");
  const folder = mkdtempSync(join(tmpdir(), "bindings-"));
  try {
    const config = join(folder, "tsconfig.json");
    writeFileSync(
      config,
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        compilerOptions: {
          noEmit: true,
          incremental: false,
          rootDir: root,
          typeRoots: [join(root, "node_modules/@types")],
        },
        files: [fixture],
        include: [],
      }),
    );
    const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", config, "--pretty", "false"], {
      cwd: root,
      encoding: "utf8",
    });
    const found = [...stdout.matchAll(/^(.+)\((\d+),\d+\): error (TS\d+): (.*(?:\n .*)*)/gm)].map((match) => ({
      file: resolve(root, String(match[1])),
      line: Number(match[2]),
      message: String(match[4]),
    }));
    const expected = readFileSync(fixture, "utf8")
      .split("\n")
      .flatMap((text, index) => {
        const announced = /\/\/ expect: (\w+)$/.exec(text)?.[1];
        return announced ? [{ file: fixture, line: index + 2, message: expect.stringContaining(announced) }] : [];
      });
    expect(expected).toHaveLength(5);
    expect(found).toEqual(expected);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
