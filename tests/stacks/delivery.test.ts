import { buildApp } from "../../stacks/app";
import { grantable } from "../../stacks/ci-access";
import { DEPLOY_GRANTS } from "../../stacks/delivery-access";
import { deliveryAccount } from "../../stacks/delivery-names";
import {
  callsOf,
  deployPermissions,
  POLICY_READER_PERMISSIONS,
  planPermissions,
} from "../../stacks/delivery-permissions";
import type { SynthesizedStack as ReadStack } from "../../tools/synthesized";
import { EXAMPLE_PLATFORM, withTierStacks } from "../../tools/tiers";
import { type Json, PROD, PUSHED, ref, SynthesizedStack, stackOf, synthesize, TEST } from "./synthesize";

/** Of a hospital whose line asks for nothing more, and of one that asks for all there is. */
const [PLAN_PERMISSIONS, DEPLOY_PERMISSIONS] = [planPermissions({}), deployPermissions({})];
const ALL = {
  pacs: "healthcare-api",
  delivery: {
    to: "https://fhir.example.org/r4",
    addresses: ["203.0.113.7/32"],
    signingKey: "secrets/signing-key/versions/1",
    mtls: { certificate: "secrets/certificate/versions/1", key: "secrets/key/versions/1" },
  },
} as const;
const stacks = withTierStacks(undefined, (all) => structuredClone(all) as ReadStack[]);
const read = (name: string) => {
  const json = stacks.find((stack) => stack.name === name)?.json ?? {};
  return new SynthesizedStack(JSON.stringify(json), json);
};
const withPlatform = (platform: object, stateBucket?: string, more: object = {}) =>
  synthesize([{ ...PROD, ...(stateBucket ? { stateBucket } : {}), ...more }, TEST], (lines, options) =>
    buildApp(lines, { ...options, images: PUSHED, platform: { ...EXAMPLE_PLATFORM, ...platform } as never }),
  ).stacks;
/** Grants to an identity of the stack, by the role that each gives. */
const grantsOf = (stack: SynthesizedStack, account: string) =>
  stack
    .resources()
    .filter(({ type, config }) => type.endsWith("_iam_member") && String(config.member).includes(account));

/** What would show a scan, what was derived from one, or the way to either. */
const DATA =
  /^(?:storage\.objects\..+|bigquery\.tables\.(?:getData|export|updateData)|bigquery\.(?:jobs|readsessions)\..+|secretmanager\.versions\.access|cloudkms\.cryptoKeyVersions\..+|pubsub\.subscriptions\.consume|pubsub\.topics\.publish|iam\.serviceAccountKeys\..+|iam\.serviceAccounts\.(?:actAs|getAccessToken|getOpenIdToken|implicitDelegation|signBlob|signJwt))$/;

describe("the rights of the two identities", () => {
  test("read no object, no row, no secret, and use no key", () => {
    for (const list of [planPermissions(ALL), deployPermissions(ALL), POLICY_READER_PERMISSIONS])
      expect(list.filter((permission) => DATA.test(permission))).toEqual([]);
    expect(
      ["storage.objects.get", "bigquery.tables.getData", "cloudkms.cryptoKeyVersions.useToDecrypt"].every((name) =>
        DATA.test(name),
      ),
    ).toBe(true);
  });

  test("change nothing where they are for planning, and neither their own rights nor those on the project", () => {
    expect(PLAN_PERMISSIONS.filter((permission) => !/\.(?:get|list|getIamPolicy)$/.test(permission))).toEqual([
      "serviceusage.services.use",
    ]);
    expect(PLAN_PERMISSIONS).not.toContain("logging.logEntries.list");
    expect(DEPLOY_PERMISSIONS.filter((permission) => /^(?:resourcemanager|iam\.roles)\./.test(permission))).toEqual([
      "iam.roles.get",
      "resourcemanager.projects.get",
      "resourcemanager.projects.getIamPolicy",
    ]);
    for (const permission of PLAN_PERMISSIONS) expect(DEPLOY_PERMISSIONS).toContain(permission);
    for (const permission of DEPLOY_PERMISSIONS) expect(permission).toMatch(/^[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+$/);
  });

  test.each(["prod-data", "prod-app", "test-data", "test-app"])(
    "are enough for every type of resource of %s",
    (name) => {
      const types = new Set(
        read(name)
          .resources()
          .map(({ type }) => type),
      );
      expect([...types].filter((type) => !(type in callsOf({})))).toEqual([]);
      expect(types.size).toBeGreaterThan(10);
    },
  );

  test("are enough for what a line may ask for besides, and go no further without it", () => {
    const all = withPlatform({}, undefined, ALL);
    const more = ["data", "app"].flatMap((kind) => stackOf(all, `st-anna-${kind}`).resources());
    const types = new Set(more.map(({ type }) => type));
    expect([...types].filter((type) => !(type in callsOf(ALL)))).toEqual([]);
    const healthcare = (list: readonly string[]) =>
      list.filter((permission) => /^(?:healthcare|vpcaccess|secretmanager)\./.test(permission));
    expect(healthcare(DEPLOY_PERMISSIONS)).toEqual([]);
    expect(healthcare(planPermissions(ALL)).length).toBeGreaterThan(0);
    // Nothing of what lies in a store.
    expect(
      healthcare(deployPermissions(ALL)).filter((one) => /dicomWeb|fhirResources|executeBundle|search/.test(one)),
    ).toEqual([]);
  });

  test("hand out the roles that a hospital's identities have on its project, but for the one that reads objects", () => {
    const handed = ["prod-data", "prod-app"].flatMap((name) =>
      read(name)
        .resources("google_project_iam_member")
        .filter(({ path }) => !path.includes("/delivery/"))
        .map(({ config }) => String(config.role)),
    );
    const [project] = read("prod-data")
      .resources("google_project_iam_custom_role")
      .map(({ config }) => config.project);
    const may = grantable(String(project), DEPLOY_GRANTS);
    expect(may.filter((role) => !DEPLOY_GRANTS.includes(role))).toEqual([
      ...["ReleaseWatcher", "Retrainer", "Starter"].map((name) => `projects/${project}/roles/brainTumor${name}`),
    ]);
    expect(handed.filter((role) => !may.includes(role))).toEqual(["roles/storage.objectViewer"]);
    expect(DEPLOY_GRANTS.filter((role) => /storage|bigquery\.data|owner|editor|admin/i.test(role))).toEqual([]);
  });

  test("are what their roles in the stack say, and nothing is granted to them besides", () => {
    const data = read("prod-data");
    const roles = data
      .resources("google_project_iam_custom_role")
      .map(({ config }) => [config.role_id, config.permissions]);
    expect(Object.fromEntries(roles)).toEqual({
      // Of what adds rows, and nobody's here.
      brainTumorAppender: ["bigquery.tables.get", "bigquery.tables.updateData"],
      // Of what starts the workflow of the day.
      brainTumorStarter: ["dataproc.workflowTemplates.instantiate"],
      // Of the workflow that retrains.
      brainTumorRetrainer: expect.arrayContaining([
        "compute.instances.create",
        "dataproc.workflowTemplates.instantiate",
      ]),
      brainTumorPlan: PLAN_PERMISSIONS,
      brainTumorDeploy: DEPLOY_PERMISSIONS,
    });
    const given = (purpose: string) =>
      grantsOf(data, `delivery_${purpose}_account`)
        .map(
          ({ type, config }) =>
            `${type.replace(/^google_|_iam_member$/g, "")} ${String(config.role).replace(/delivery_(\w+)_role_\w+/, "$1")}`,
        )
        .sort();
    const reader = "projects/example-platform/roles/brainTumorPolicyReader";
    expect(given("plan")).toEqual([
      `artifact_registry_repository ${reader}`,
      `project ${ref("google_project_iam_custom_role.plan.name")}`,
      // Of the archives of logs and of audits, and of the states.
      `storage_bucket ${reader}`,
      `storage_bucket ${reader}`,
      `storage_bucket ${reader}`,
      "storage_bucket roles/storage.objectViewer",
    ]);
    expect(given("deploy")).toEqual([
      `artifact_registry_repository ${reader}`,
      "artifact_registry_repository roles/artifactregistry.reader",
      `project ${ref("google_project_iam_custom_role.deploy.name")}`,
      "project roles/resourcemanager.projectIamAdmin",
      // Of the archives of logs and of audits, and of the states.
      `storage_bucket ${reader}`,
      `storage_bucket ${reader}`,
      `storage_bucket ${reader}`,
      "storage_bucket roles/storage.objectUser",
    ]);
  });

  test("open the states of their own hospital alone, and in the app stack the bucket of code", () => {
    for (const purpose of ["plan", "deploy"]) {
      const [state] = grantsOf(read("prod-data"), `delivery_${purpose}_account`).filter(({ config }) =>
        /roles\/storage\.object/.test(String(config.role)),
      );
      const condition = JSON.stringify(state?.config.condition);
      for (const part of ["data", "app"]) {
        expect(condition).toContain(`projects/_/buckets/example-platform-platform-state/objects/prod-${part}/`);
        expect(condition).toContain(`objectListPrefix\\", \\"\\").startsWith(\\"prod-${part}/`);
      }
      expect(condition.match(/startsWith/g)).toHaveLength(4);
      expect(
        grantsOf(read("prod-app"), `prod-${purpose}@`)
          .filter(({ type }) => type === "google_storage_bucket_iam_member")
          .map(({ config }) => config.bucket),
      ).toEqual([ref("google_storage_bucket.source.name")]);
    }
  });

  test("lie on no state that is a file or in a bucket of others", () => {
    for (const all of [withPlatform({ state: "local" }), withPlatform({}, "others-state")]) {
      const roles = stackOf(all, "st-anna-data")
        .resources("google_storage_bucket_iam_member")
        .map(({ config }) => String(config.role));
      expect(roles.filter((role) => /objectViewer|objectUser/.test(role))).toEqual([]);
    }
  });
});

describe("whoever may act as them", () => {
  test("is a job of the main branch: inside the protected environment to deploy, any other to plan", () => {
    const provider = read("bootstrap")
      .resources("google_iam_workload_identity_pool_provider")
      .map(({ config }) => config)
      .find(
        ({ display_name, attribute_condition }) =>
          display_name === "GitHub Actions" && String(attribute_condition).includes("ref"),
      );
    expect(provider?.attribute_condition).toBe(
      'assertion.repository == "example/brain-tumor-stack" && assertion.ref == "refs/heads/main" && assertion.event_name in ["push", "schedule", "workflow_dispatch"]',
    );
    expect(((provider?.attribute_mapping ?? {}) as Json)["attribute.purpose"]).toBe(
      'has(assertion.environment) && assertion.environment == "delivery" ? "deploy" : "plan"',
    );
    const members = read("prod-data")
      .resources("google_service_account_iam_member")
      .map(({ config }) => [config.role, config.member]);
    for (const type of ["google_service_account", "google_project_iam_custom_role"])
      for (const { config } of read("prod-data").resources(type))
        expect(config.depends_on).toEqual(
          expect.arrayContaining([expect.stringMatching(/iamcredentials/), expect.stringMatching(/services_iam_/)]),
        );
    const jobs = (purpose: string) =>
      `principalSet://iam.googleapis.com/projects/100000000009/locations/global/workloadIdentityPools/brain-tumor-delivery/attribute.purpose/${purpose}`;
    expect(members).toEqual([
      ["roles/iam.workloadIdentityUser", jobs("deploy")],
      ["roles/iam.workloadIdentityUser", jobs("plan")],
    ]);
  });

  test("is nobody without a repository, and never anybody for an ephemeral environment", () => {
    const { repository: _repository, ...platform } = EXAMPLE_PLATFORM;
    const all = synthesize([PROD], (lines, options) => buildApp(lines, { ...options, platform })).stacks;
    for (const stack of [...all.values(), read("ephemeral-data"), read("ephemeral-app")])
      expect(stack.text).not.toMatch(/brain-tumor-delivery|brainTumorPlan|-plan@/);
  });
});

test("the identity that deploys may deploy as every identity of its hospital, unless the line names another", () => {
  const member = `serviceAccount:${deliveryAccount({ name: "prod", project: "example-prod" }, "deploy")}`;
  // Nothing runs as an account that asks: another one acts as it.
  const accounts = read("prod-app")
    .resources("google_service_account")
    .filter(({ path }) => !path.includes("/reader/"));
  const users = (stack: SynthesizedStack) =>
    stack
      .resources("google_service_account_iam_member")
      .filter(({ config }) => config.role === "roles/iam.serviceAccountUser")
      // What starts a workflow has its machines run as another: who deploys has no part in that.
      .filter(({ path }) => !path.endsWith("/schedule/identity/machines") && !path.includes("/retrain/starter/as-"));
  expect(users(read("prod-app")).map(({ config }) => config.member)).toEqual(accounts.map(() => member));
  const deployer = "serviceAccount:pipeline@other-project.iam.gserviceaccount.com";
  const own = stackOf(synthesize([{ ...PROD, deployer }]).stacks, "st-anna-app");
  expect(new Set(users(own).map(({ config }) => config.member))).toEqual(new Set([deployer]));
});

test("names of hospitals as long as they may be have two identities as well", () => {
  const name = "abcdefghij-abcdefghij-abcdefgh";
  const all = synthesize([{ ...PROD, name, project: "mri-x1" }]).stacks;
  const data = stackOf(all, `${name}-data`);
  const ids = data.resources("google_service_account").map(({ config }) => String(config.account_id));
  expect(ids.sort()).toEqual(
    (["deploy", "plan"] as const).map((purpose) => deliveryAccount({ name, project: "mri-x1" }, purpose).split("@")[0]),
  );
  for (const id of ids) expect(id.length).toBeLessThanOrEqual(30);
  expect(stackOf(all, `${name}-app`).text).toContain(deliveryAccount({ name, project: "mri-x1" }, "deploy"));
});
