import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serviceAgentMember } from "../../constructs/core/service-agents";
import { ConfigurationError } from "../../runtime/platform/config";
import { type AppOptions, buildApp } from "../../stacks/app";
import { grantable } from "../../stacks/ci-access";
import { expiry } from "../../stacks/config";
import { hospitals, platform as shipped } from "../../stacks/hospitals";
import { type PlatformLine, parsePlatform } from "../../stacks/platform-config";
import { type Json, PROD, ref, type SynthesizedStack, stackOf, synthesize, TEST } from "./synthesize";

const PLATFORM: PlatformLine = {
  project: "mri-platform",
  projectNumber: "111222333444",
  region: "europe-west4",
  billingAccount: "01AB23-456789-CDEF01",
  repository: "clinic/brain-tumor-stack",
  ci: { project: "mri-ci", projectNumber: "555666777888" },
};

const synth = (options: Partial<AppOptions>, lines = [PROD]) =>
  synthesize(lines, (given, { outdir }) => buildApp(given, { platform: PLATFORM, variables: {}, ...options, outdir }));

const { stacks } = synth({}, [PROD, TEST]);
const platform = stackOf(stacks, "platform");
const bootstrap = stackOf(stacks, "bootstrap");
const prodData = stackOf(stacks, "st-anna-data");

describe("the platform's stack", () => {
  test("keeps audit logs for six years, and locks them only by its own option", () => {
    const archive = platform.resource("google_storage_bucket", "log_archive");
    const policy = archive.retention_policy as Json;
    expect(archive).toMatchObject({ name: "mri-platform-platform-log-archive", lifecycle: { prevent_destroy: true } });
    expect(policy.is_locked).toBe(false);
    expect(Number(policy.retention_period)).toBeGreaterThanOrEqual((6 * 365 + 2) * 24 * 60 * 60);
    for (const { condition } of archive.lifecycle_rule as { action: Json; condition: Json }[])
      if (condition.with_state === "LIVE" && condition.age !== 90)
        expect(Number(condition.age) * 24 * 60 * 60).toBeGreaterThanOrEqual(Number(policy.retention_period));
    const locked = stackOf(synth({ platform: { ...PLATFORM, lockLogArchive: true } }).stacks, "platform");
    expect(locked.resource("google_storage_bucket", "log_archive").retention_policy).toMatchObject({ is_locked: true });
  });

  test("has the registry of images, encrypted and protected", () => {
    expect(platform.resource("google_artifact_registry_repository", "images")).toMatchObject({
      repository_id: "brain-tumor-images",
      format: "DOCKER",
      kms_key_name: "projects/mri-platform/locations/europe-west4/keyRings/brain-tumor-platform/cryptoKeys/data",
      lifecycle: { prevent_destroy: true },
    });
  });

  test("has one ring of long-lived keys a region for ephemeral environments, for their project's agents", () => {
    const two = stackOf(
      synth({ platform: { ...PLATFORM, ephemeralRegions: ["europe-west4", "us-central1"] } }).stacks,
      "platform",
    );
    expect(two.resources("google_kms_key_ring").map(({ config }) => [config.name, config.location])).toEqual([
      ["brain-tumor-ephemeral", "europe-west4"],
      ["brain-tumor-ephemeral", "us-central1"],
    ]);
    const data = "google_kms_crypto_key.ephemeral_data_europe_west4";
    const users = two
      .resources("google_kms_crypto_key_iam_member")
      .filter(({ config }) => config.crypto_key_id === ref(`${data}.id`))
      .map(({ config }) => config.member);
    expect(users).toContain(serviceAgentMember({ projectNumber: "555666777888" }, "storage"));
    expect(users).toContain(serviceAgentMember({ projectNumber: "555666777888" }, "bigquery"));
    for (const user of users) expect(user).not.toContain("111222333444");
  });

  test("lets the sink of the CI project in, and CI read the images and give rights on them and the ephemeral keys, and nothing else", () => {
    const writers = platform.resources("google_storage_bucket_iam_member").map(({ config }) => config.member);
    expect(writers).toContain("serviceAccount:service-555666777888@gcp-sa-logging.iam.gserviceaccount.com");
    const permissions = platform.resources("google_project_iam_custom_role").map(({ config }) => config.permissions);
    expect(permissions).toEqual([
      [
        "artifactregistry.repositories.get",
        "artifactregistry.repositories.getIamPolicy",
        "artifactregistry.repositories.setIamPolicy",
      ],
      ["cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.getIamPolicy", "cloudkms.cryptoKeys.setIamPolicy"],
      // For those who deliver: reads who may do what, and changes nothing.
      [
        "artifactregistry.repositories.get",
        "artifactregistry.repositories.getIamPolicy",
        "storage.buckets.get",
        "storage.buckets.getIamPolicy",
      ],
    ]);
    const ofImages = platform
      .resources("google_artifact_registry_repository_iam_member")
      .map(({ config }) => [config.role, config.member]);
    const [granter] = platform
      .resources("google_project_iam_custom_role")
      .filter(({ config }) => config.role_id === "brainTumorImageGranter");
    expect(ofImages.sort()).toEqual([
      [
        ref(`google_project_iam_custom_role.${granter?.logicalId}.name`),
        "serviceAccount:ci-deploy@mri-platform.iam.gserviceaccount.com",
      ],
      // Cloud Run takes an image from nobody who may not read it.
      ["roles/artifactregistry.reader", "serviceAccount:ci-deploy@mri-platform.iam.gserviceaccount.com"],
      // Cloud Run of the CI project pulls what its environments serve.
      [
        "roles/artifactregistry.reader",
        "serviceAccount:service-555666777888@serverless-robot-prod.iam.gserviceaccount.com",
      ],
    ]);
    expect(platform.resources("google_kms_key_ring_iam_member").map(({ config }) => config.member)).toEqual([
      "serviceAccount:ci-deploy@mri-platform.iam.gserviceaccount.com",
    ]);
  });
});

describe("the bootstrap stack", () => {
  const membersOf = (bucket: string) =>
    bootstrap
      .resources("google_storage_bucket_iam_member")
      .filter(({ config }) => config.bucket === ref(`google_storage_bucket.${bucket}.name`))
      .map(({ config }) => [config.role, config.member]);

  test("makes the bucket of states: versioned, encrypted, protected, and no member is let in", () => {
    const state = bootstrap.resource("google_storage_bucket", "state");
    expect(state).toMatchObject({
      name: "mri-platform-platform-state",
      versioning: { enabled: true },
      encryption: {
        default_kms_key_name:
          "projects/mri-platform/locations/europe-west4/keyRings/brain-tumor-platform/cryptoKeys/data",
      },
      lifecycle: { prevent_destroy: true },
    });
    expect(membersOf("state")).toEqual([]);
  });

  test("makes a second one in the CI project for ephemeral environments, as safe, for CI and nobody else", () => {
    expect(bootstrap.resource("google_storage_bucket", "environment_states")).toMatchObject({
      project: "mri-ci",
      name: "mri-ci-ci-state",
      versioning: { enabled: true },
      uniform_bucket_level_access: true,
      public_access_prevention: "enforced",
      encryption: {
        default_kms_key_name:
          "projects/mri-platform/locations/europe-west4/keyRings/brain-tumor-platform/cryptoKeys/environment-states",
      },
      // Out of CI's reach, which may change whatever lies in its project.
      logging: { log_bucket: "mri-platform-platform-access-log" },
      labels: { env: "platform" },
      lifecycle: { prevent_destroy: true },
    });
    const [ciAccount] = bootstrap.resources("google_service_account");
    expect(membersOf("environment_states")).toEqual([
      ["roles/storage.objectUser", ref(`google_service_account.${ciAccount?.logicalId}.member`)],
    ]);
    const { ci: _none, ...alone } = PLATFORM;
    expect(stackOf(synth({ platform: alone }).stacks, "bootstrap").text).not.toContain("environment_states");
    const { repository: _no, ...byHand } = PLATFORM;
    expect(stackOf(synth({ platform: byHand }).stacks, "bootstrap").text).toContain("mri-ci-ci-state");
  });

  test("has no usage logs where the platform's line says so", () => {
    const off = stackOf(synth({ platform: { ...PLATFORM, usageLogs: false } }).stacks, "bootstrap");
    expect(bootstrap.text).toContain("cloud-storage-analytics");
    expect(off.text).not.toContain("cloud-storage-analytics");
    expect(off.resource("google_storage_bucket", "state")).not.toHaveProperty("logging");
    const environment = { variables: { CI_ENV_ID: "pr-1" }, platform: { ...PLATFORM, usageLogs: false } };
    for (const stack of synth(environment).stacks.values()) expect(stack.text).not.toContain("cloud-storage-analytics");
  });

  test("lets workflows of one repository in, without a key", () => {
    const [provider] = bootstrap.resources("google_iam_workload_identity_pool_provider");
    expect(provider?.config).toMatchObject({
      attribute_condition: 'assertion.repository == "clinic/brain-tumor-stack"',
      oidc: { issuer_uri: "https://token.actions.githubusercontent.com" },
    });
    const federated = bootstrap
      .resources("google_service_account_iam_member")
      .filter(({ config }) => config.role === "roles/iam.workloadIdentityUser");
    expect(federated).toHaveLength(1);
    expect(federated[0]?.config.member).toMatch(/\/attribute\.repository\/clinic\/brain-tumor-stack$/);
    expect(bootstrap.resources("google_service_account_key")).toEqual([]);
  });

  test("gives CI roles on its project alone; of the roles that it may hand out, those that environments use", () => {
    const grants = bootstrap.resources("google_project_iam_member").map(({ config }) => config);
    for (const grant of grants) expect(grant.project).toBe("mri-ci");
    for (const { role } of grants)
      expect(role).not.toMatch(/^roles\/(owner|editor|viewer|iam\.serviceAccount(User|TokenCreator))$/);
    const [admin, ...others] = grants.filter(({ role }) => role === "roles/resourcemanager.projectIamAdmin");
    expect(others).toEqual([]);
    for (const role of grantable("mri-ci")) expect(JSON.stringify(admin?.condition)).toContain(role);

    const environment = synth({ variables: { CI_ENV_ID: "pr-1" } }).stacks;
    for (const stack of environment.values())
      for (const { config } of stack.resources("google_project_iam_member"))
        expect(grantable("mri-ci")).toContain(config.role);
  });

  test("owns what the CI project has once: APIs, audit logs, their sink, the budget", () => {
    const of = (type: string) => bootstrap.resources(type).filter(({ config }) => config.project === "mri-ci");
    expect(of("google_project_service").length).toBeGreaterThan(10);
    expect(of("google_project_iam_audit_config")).toHaveLength(1);
    expect(of("google_logging_project_sink").map(({ config }) => config.destination)).toEqual([
      "storage.googleapis.com/mri-platform-platform-log-archive",
    ]);
    const budgets = bootstrap.resources("google_billing_budget").map(({ config }) => config.budget_filter as Json);
    expect(budgets.map(({ projects }) => projects)).toContainEqual(["projects/555666777888"]);
  });

  test("and platform come to a destroy only after a deploy with allowDestroys", () => {
    for (const stack of [platform, bootstrap]) expect(stack.text).toContain('"prevent_destroy": true');
    const open = synth({ platform: { ...PLATFORM, allowDestroys: true } }).stacks;
    for (const name of ["platform", "bootstrap"]) expect(stackOf(open, name).text).not.toContain("prevent_destroy");
  });
});

describe("a hospital's project", () => {
  test("logs every access of every service, and sends it to the archive, into which its sink alone is let", () => {
    const [audit, ...others] = prodData.resources("google_project_iam_audit_config");
    expect(others).toEqual([]);
    expect(audit?.config).toMatchObject({ project: "mri-st-anna", service: "allServices" });
    const logTypes = (audit?.config.audit_log_config ?? []) as Json[];
    expect(logTypes.map(({ log_type }) => log_type).sort()).toEqual(["ADMIN_READ", "DATA_READ", "DATA_WRITE"]);
    expect(JSON.stringify(audit?.config)).not.toContain("exempted");
    const [sink] = prodData.resources("google_logging_project_sink");
    expect(sink?.config).toMatchObject({
      name: "st-anna-audit",
      destination: "storage.googleapis.com/mri-platform-platform-log-archive",
      unique_writer_identity: true,
    });
    for (const log of ["activity", "data_access", "policy", "system_event"])
      expect(sink?.config.filter).toContain(`cloudaudit.googleapis.com/${log}`);
    const writers = prodData
      .resources("google_storage_bucket_iam_member")
      .filter(({ config }) => config.bucket === "mri-platform-platform-log-archive")
      .filter(({ config }) => !String(config.role).endsWith("/brainTumorPolicyReader"));
    expect(writers.map(({ config }) => [config.role, config.member])).toEqual([
      ["roles/storage.objectCreator", ref(`google_logging_project_sink.${sink?.logicalId}.writer_identity`)],
    ]);
  });

  test("has a budget of its own where a billing account is known: the platform's, or the line's", () => {
    const budget = (stack: SynthesizedStack) => stack.resources("google_billing_budget").map(({ config }) => config);
    expect(budget(prodData)).toEqual([
      expect.objectContaining({
        billing_account: "01AB23-456789-CDEF01",
        amount: { specified_amount: { units: "2000" } },
        budget_filter: expect.objectContaining({ projects: ["projects/483920174655"] }),
      }),
    ]);
    const own = synth({}, [{ ...PROD, billingAccount: "FFFFFF-456789-CDEF01", budget: 750 }]).stacks;
    expect(budget(stackOf(own, "st-anna-data"))).toEqual([
      expect.objectContaining({
        billing_account: "FFFFFF-456789-CDEF01",
        amount: { specified_amount: { units: "750" } },
      }),
    ]);
    const { billingAccount: _none, ...without } = PLATFORM;
    expect(budget(stackOf(synth({ platform: without }).stacks, "st-anna-data"))).toEqual([]);
  });

  test("pays for the calls about its budget, which a person's own credentials do not", () => {
    const provider = (found: SynthesizedStack) => ((found.json.provider as Json).google as Json[])[0];
    expect(provider(prodData)).toMatchObject({ user_project_override: true, billing_project: "mri-st-anna" });
    expect(provider(bootstrap)).toMatchObject({ user_project_override: true, billing_project: "mri-platform" });
    // Where there is no budget, nobody needs the right to use the project's APIs.
    for (const other of [platform, stackOf(stacks, "st-anna-app")])
      expect(Object.keys(provider(other) ?? {}).sort()).toEqual(["project", "region"]);
    const { billingAccount: _none, ...without } = PLATFORM;
    for (const name of ["bootstrap", "st-anna-data"])
      expect(provider(stackOf(synth({ platform: without }).stacks, name))).not.toHaveProperty("billing_project");
    const environment = synth({ variables: { CI_ENV_ID: "pr-1" } }).stacks;
    for (const stack of environment.values()) expect(provider(stack)).not.toHaveProperty("user_project_override");
  });

  test("has the API on by which it pays; what the platform pays for waits for the platform's APIs", () => {
    const bootstrapServices = bootstrap
      .resources("google_project_service")
      .filter(({ config }) => config.project === "mri-platform")
      .map(({ logicalId }) => `google_project_service.${logicalId}`);
    expect(bootstrapServices.length).toBeGreaterThan(10);
    const ofCi = bootstrap.resources("google_project_service").filter(({ config }) => config.project === "mri-ci");
    for (const { config } of ofCi) expect(config.depends_on).toEqual(expect.arrayContaining(bootstrapServices));
    for (const stack of [prodData, bootstrap])
      expect(stack.resources("google_project_service").map(({ config }) => config.service)).toContain(
        "serviceusage.googleapis.com",
      );
  });

  test("lets the pipeline that deploys its budget use the project's APIs", () => {
    const deployer = "serviceAccount:pipeline@mri-st-anna.iam.gserviceaccount.com";
    const granted = (options: Partial<AppOptions>) =>
      stackOf(synth(options, [{ ...PROD, deployer }]).stacks, "st-anna-data")
        .resources("google_project_iam_member")
        .filter(({ path }) => !path.includes("/delivery/"))
        .map(({ config }) => [config.project, config.role, config.member]);
    expect(granted({})).toEqual([["mri-st-anna", "roles/serviceusage.serviceUsageConsumer", deployer]]);
    const { billingAccount: _none, ...without } = PLATFORM;
    expect(granted({ platform: without })).toEqual([]);
  });

  test("cannot be the platform's or that of ephemeral environments", () => {
    for (const project of ["mri-platform", "mri-ci"])
      expect(() => synth({}, [{ ...PROD, project }])).toThrow(/"project" is ".*", which is the (platform|project)/);
  });
});

describe("state", () => {
  const backends = (options: Partial<AppOptions>) =>
    [...synth(options).stacks].map(([name, { json }]) => [name, (json.terraform as Json).backend]);

  test("lies beside the output first, and with one word in the bucket that bootstrap made", () => {
    for (const [name, backend] of backends({}))
      expect(backend).toEqual({ local: { path: `../../../terraform.${name}.tfstate` } });
    for (const [name, backend] of backends({ platform: { ...PLATFORM, state: "gcs" } }))
      expect(backend).toEqual({ gcs: { bucket: "mri-platform-platform-state", prefix: name } });
  });

  test("of an ephemeral environment lies in its own project's bucket, below its id, and is named alike in a file", () => {
    const variables = { CI_ENV_ID: "pr-12" };
    for (const [name, backend] of backends({ variables, platform: { ...PLATFORM, state: "gcs" } }))
      expect(backend).toEqual({ gcs: { bucket: "mri-ci-ci-state", prefix: `ci-env/pr-12/${name}` } });
    const other = { ...variables, CI_PROJECT: "other-ci", CI_PROJECT_NUMBER: "999888777666" };
    for (const [name, backend] of backends({ variables: other, platform: { ...PLATFORM, state: "gcs" } }))
      expect(backend).toEqual({ gcs: { bucket: "other-ci-ci-state", prefix: `ci-env/pr-12/${name}` } });
    for (const [name, backend] of backends({ variables }))
      expect(backend).toEqual({ local: { path: `../../../ci-env/pr-12/${name}/default.tfstate` } });
    expect(backends({ variables })).toHaveLength(2);
  });

  test("of no hospital lies where CI can reach it, a line of tier ephemeral included", () => {
    const line = { ...PROD, name: "trial", tier: "ephemeral", project: "mri-ci" } as const;
    const { stacks: all } = synth({ platform: { ...PLATFORM, state: "gcs" } }, [PROD, line]);
    for (const [name, { json }] of all)
      expect([name, (json.terraform as Json).backend]).toEqual([
        name,
        { gcs: { bucket: "mri-platform-platform-state", prefix: name } },
      ]);
  });
});

describe("with CI_ENV_ID", () => {
  const environment = (variables: Record<string, string>, options: Partial<AppOptions> = {}) =>
    synth({ variables, now: new Date("2027-01-30T23:00:00Z"), ...options }).stacks;

  test("the app is two stacks in the CI project, whose names carry the id and which expire", () => {
    const found = environment({ CI_ENV_ID: "pr-123" });
    expect([...found.keys()].sort()).toEqual(["pr-123-app", "pr-123-data"]);
    for (const stack of found.values()) {
      expect(stack.text).not.toContain("st-anna");
      for (const { config } of stack.resources())
        if ("labels" in config && !("email_address" in (config.labels as Json)))
          expect(config.labels).toMatchObject({ "expires-at": "2027-02-01", env: "ephemeral", hospital: "pr-123" });
    }
    expect(stackOf(found, "pr-123-data").resource("google_storage_bucket", "landing")).toMatchObject({
      project: "mri-ci",
      name: "mri-ci-pr-123-landing",
      force_destroy: true,
      soft_delete_policy: { retention_duration_seconds: 0 },
    });
  });

  test("nothing of the project itself is among them, and nothing refuses to go", () => {
    for (const stack of environment({ CI_ENV_ID: "pr-123" }).values()) {
      expect(stack.text).not.toContain("prevent_destroy");
      expect(stack.text).not.toContain('"deletion_protection": true');
      for (const type of ["project_service", "project_iam_audit_config", "logging_project_sink", "billing_budget"])
        expect(stack.resources(`google_${type}`)).toEqual([]);
      for (const type of ["kms_key_ring", "kms_crypto_key", "project_iam_custom_role"])
        expect(stack.resources(`google_${type}`)).toEqual([]);
    }
  });

  test("two ids share no name, also where one begins with the other", () => {
    const names = (id: string) => {
      const keys =
        /^(name|bucket|dataset_id|account_id|repository_id|display_name|display_name_prefix|name_prefix|topic|function)$/;
      const found = new Set<string>();
      for (const stack of environment({ CI_ENV_ID: id }).values())
        for (const { type, config } of stack.resources()) {
          // Objects, records and members lie below something that carries the id.
          if (/_(object|record_set|iam_member)$/.test(type)) continue;
          for (const [key, value] of Object.entries(config))
            if (keys.test(key) && typeof value === "string" && !value.includes("${")) found.add(`${type} ${value}`);
        }
      return found;
    };
    const one = names("pr-1");
    expect(one.size).toBeGreaterThan(30);
    for (const other of ["pr-12", "pr-1-ingest", "pr-1-landing", "pr-1-dead", "pr"])
      expect([...names(other)].filter((name) => one.has(name))).toEqual([]);
  });

  test("CI_PROJECT, its number, CI_REGION and CI_EXPIRES_AT say where it lies and until when", () => {
    const found = environment({
      CI_ENV_ID: "pr-7",
      CI_PROJECT: "other-ci",
      CI_PROJECT_NUMBER: "999888777666",
      CI_REGION: "us-central1",
      CI_EXPIRES_AT: "2027-03-04",
    });
    expect(stackOf(found, "pr-7-data").resource("google_storage_bucket", "landing")).toMatchObject({
      project: "other-ci",
      location: "us-central1",
      labels: { "expires-at": "2027-03-04" },
    });
    expect(stackOf(found, "pr-7-app").text).toContain("service-999888777666@gcp-sa-pubsub");
  });

  test("identities can be used by the account that deploys", () => {
    const app = stackOf(environment({ CI_ENV_ID: "pr-123" }), "pr-123-app");
    const uses = app
      .resources("google_service_account_iam_member")
      .filter(({ config }) => config.role === "roles/iam.serviceAccountUser")
      // The schedule has the workflow's machines run as another: who deploys has no part in that.
      .filter(({ path }) => !path.endsWith("/schedule/identity/machines"));
    // Nothing runs as a reader: it is acted as by one other account alone.
    const readers = app
      .resources("google_service_account")
      .filter(({ config }) => /reader$/.test(String(config.account_id)));
    expect(readers).toHaveLength(2);
    expect(uses).toHaveLength(app.resources("google_service_account").length - readers.length);
    for (const { config } of uses)
      expect(config.member).toBe("serviceAccount:ci-deploy@mri-platform.iam.gserviceaccount.com");
    // Each workload waits for it: Google refuses a deploy by somebody who may not act as the workload's identity.
    const [fn] = app.resources("google_cloudfunctions2_function");
    const [workflow] = app.resources("google_dataproc_workflow_template");
    for (const workload of [fn, workflow])
      expect(workload?.config.depends_on).toEqual(
        expect.arrayContaining([expect.stringMatching(/^google_service_account_iam_member\..*identity_deployer/)]),
      );
  });

  test.each<[Record<string, string>, Partial<AppOptions>, RegExp]>([
    [{ CI_ENV_ID: "PR 1" }, {}, /"name" is "PR 1"/],
    [{ CI_ENV_ID: "pr-1", CI_REGION: "mars" }, {}, /"region" is "mars"/],
    [{ CI_ENV_ID: "pr-1", CI_EXPIRES_AT: "soon" }, {}, /"expiresAt" is "soon"/],
    [{ CI_ENV_ID: "" }, {}, /CI_ENV_ID is empty/],
    [{ CI_EXPIRES_AT: "2027-03-04" }, {}, /CI_ENV_ID is not set, and CI_EXPIRES_AT is/],
    [{ CI_ENV_ID: PROD.name }, {}, /is the name of a hospital/],
    [{ CI_ENV_ID: "pr-1", CI_EXPIRES_AT: "2026-01-31" }, {}, /which is over/],
    [{ CI_ENV_ID: "pr-1", CI_EXPIRES_AT: "2026-02-31" }, {}, /"expiresAt" is "2026-02-31"/],
    [{ CI_ENV_ID: "pr-1", CI_EXPIRES_AT: "2027-02" }, {}, /"expiresAt" is "2027-02"/],
    ...["bootstrap", "ci", "ci-env", "platform"].map((id): [Record<string, string>, Partial<AppOptions>, RegExp] => [
      { CI_ENV_ID: id },
      {},
      /"name" is .* not bootstrap, ci, ci-env, platform, which are the platform's own/,
    ]),
    [{ CI_ENV_ID: "pr-1" }, { platform: { ...PLATFORM, ci: undefined } as PlatformLine }, /set CI_PROJECT/],
  ])("%j is refused in a sentence", (variables, options, sentence) => {
    expect(() => environment(variables, options)).toThrow(sentence);
  });
});

test.each([
  ["no CI project", { ci: undefined }],
  ["no repository", { repository: undefined }],
  ["no billing account", { billingAccount: undefined }],
])("a platform with %s passes the policy and is synthesized", (_what, without) => {
  const line = { ...PLATFORM, ...without } as PlatformLine;
  expect([...synth({ platform: line }).stacks.keys()]).toContain("bootstrap");
});

test("an environment whose date is over is taken by whoever destroys it, and by nobody else", () => {
  const variables = { CI_ENV_ID: "pr-1", CI_EXPIRES_AT: "2024-02-29" };
  expect(() => synth({ variables })).toThrow(/which is over/);
  expect([...synth({ variables, expired: true }).stacks.keys()].sort()).toEqual(["pr-1-app", "pr-1-data"]);
  for (const id of [PROD.name, "ci", "../x"])
    expect(() => synth({ variables: { ...variables, CI_ENV_ID: id }, expired: true })).toThrow();
});

test("an ephemeral environment lives for two days if nobody says otherwise", () => {
  expect(expiry(new Date("2026-12-30T12:00:00Z"))).toBe("2027-01-01");
});

describe("the platform's line", () => {
  const problems = (line: unknown): readonly string[] => {
    try {
      parsePlatform(line);
    } catch (error) {
      if (error instanceof ConfigurationError) return error.problems;
      throw error;
    }
    return [];
  };

  test("as shipped is valid, and so are the hospitals beside it", () => {
    expect(problems(shipped)).toEqual([]);
    const outdir = mkdtempSync(join(tmpdir(), "shipped-"));
    try {
      expect(() => buildApp(hospitals, { outdir, platform: shipped, variables: {} })).not.toThrow();
    } finally {
      rmSync(outdir, { recursive: true, force: true });
    }
  });

  test("tells every problem at once: which key, what was given, what is allowed", () => {
    const found = problems({
      ...PLATFORM,
      region: "mars",
      state: "s3",
      repository: "no slash",
      budget: 0,
      ci: { project: "mri-platform", projectNumber: "x" },
      regions: [],
    });
    expect(found).toHaveLength(7);
    for (const problem of found) expect(problem).toMatch(/^The platform: ".+" is .+ allowed: .+\.$/);
  });

  test("lies in regions of the list, or in those that it names itself", () => {
    const newer = { ...PLATFORM, region: "europe-west99", ephemeralRegions: ["europe-west99", "asia-east9"] };
    expect(problems(newer)).toEqual([
      expect.stringContaining('"region" is "europe-west99"'),
      expect.stringContaining('"ephemeralRegions" is "europe-west99"'),
      expect.stringMatching(/"ephemeralRegions" is "asia-east9".+The nearest name is "asia-east1"/),
    ]);
    expect(problems({ ...newer, extraRegions: ["europe-west99", "asia-east9"] })).toEqual([]);
    expect(problems({ ...PLATFORM, extraRegions: ["moon"] })).toEqual([expect.stringContaining('"extraRegions.0"')]);
  });
});
