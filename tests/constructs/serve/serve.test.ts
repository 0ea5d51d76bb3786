import { App, TerraformStack } from "../../../constructs/core/cdktf";
import { ContainerImage, type LockedImage } from "../../../constructs/core/container-image";
import { Identity } from "../../../constructs/core/identity";
import { hospitalKeysFromNames } from "../../../constructs/security";
import { Serve } from "../../../constructs/serve";
import { hospitalBucketsFromNames } from "../../../constructs/storage";
import { warehouseFromNames } from "../../../constructs/warehouse";
import { serveContract } from "../../../runtime/serve/contract";
import type { HospitalLine } from "../../../stacks/config";
import { type Json, PROD, PUSHED, type Resource, ref, stackOf, synthesize, TEST } from "../../stacks/synthesize";

const OPEN: HospitalLine = {
  ...TEST,
  serve: {
    maxInstances: 7,
    domain: "mri.example.org",
    viewers: ["group:radiology@example.org", "user:dr@example.org"],
    clinicians: ["user:dr@example.org", "domain:radiology.example.org"],
    admins: ["serviceAccount:robot@mri-sandbox.iam.gserviceaccount.com", "user:Head@example.org"],
    allowedRanges: ["198.51.100.0/24"],
  },
};
const RELEASER = "group:ml-operations@example.org";
const RELEASED: HospitalLine = {
  ...PROD,
  name: "st-berta",
  project: "mri-st-berta",
  projectNumber: "918273645502",
  serve: { releasers: [RELEASER] },
};
const CI: HospitalLine = {
  ...TEST,
  name: "run-1",
  tier: "ephemeral",
  project: "mri-ci",
  projectNumber: "918273645501",
};
const { stacks } = synthesize([PROD, OPEN, RELEASED, CI]);
const closed = stackOf(stacks, "st-anna-app");
const open = stackOf(stacks, "sandbox-app");
const one = (stack: typeof open, type: string, path = ""): Resource => {
  const found = stack
    .resources(type)
    .filter((resource) => resource.path.includes(`/serve/`) && resource.path.endsWith(path));
  expect(found).toHaveLength(1);
  return found[0] as Resource;
};
const service = one(closed, "google_cloud_run_v2_service");
const template = service.config.template as Json;
const [container] = template.containers as [Json];

describe("the service", () => {
  test("is internal, bounded, encrypted, an image by its digest, and says what Google would fill in", () => {
    expect(service.config).toMatchObject({
      name: "st-anna-serve",
      ingress: "INGRESS_TRAFFIC_INTERNAL_ONLY",
      launch_stage: "GA",
      deletion_protection: false,
      traffic: [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }],
      template: {
        encryption_key: "projects/mri-st-anna/locations/europe-west4/keyRings/brain-tumor-st-anna/cryptoKeys/data",
        execution_environment: "EXECUTION_ENVIRONMENT_GEN2",
        timeout: "60s",
        scaling: { min_instance_count: 0, max_instance_count: 10 },
      },
    });
    expect(container).toMatchObject({
      image: `${PUSHED.images.serve?.image}@${PUSHED.images.serve?.digest}`,
      ports: { name: "http1", container_port: 8080 },
      resources: { limits: { cpu: "1", memory: "2Gi" }, cpu_idle: true, startup_cpu_boost: true },
    });
    // Cloud Run sets PORT and refuses a service that does.
    expect((container.env as Json[]).map(({ name }) => name)).not.toContain("PORT");
  });

  test("lets in more requests at once than predictions, so that health and pages are answered under load", () => {
    expect(template.max_instance_request_concurrency).toBeGreaterThan(
      serveContract.env.shape.QUEUE_LIMIT.parse(undefined),
    );
  });

  test("has four minutes to get its model ready, the most that Cloud Run gives", () => {
    const probe = container.startup_probe as Record<string, number>;
    expect((probe.period_seconds as number) * (probe.failure_threshold as number)).toBe(240);
    for (const { timeout_seconds, period_seconds } of [probe, container.liveness_probe as Record<string, number>])
      expect(timeout_seconds).toBeLessThan(period_seconds as number);
  });

  test("is called by nobody who was not named, and there is no load balancer that was not asked for", () => {
    const invokers = closed
      .resources("google_cloud_run_v2_service_iam_member")
      .filter(({ path }) => path.includes("/serve/"));
    expect(invokers).toEqual([]);
    for (const type of ["google_compute_backend_service", "google_compute_global_address", "google_compute_url_map"])
      expect(closed.resources(type)).toEqual([]);
  });

  test("is there only after Cloud Run may pull its image; in a shared project that grant belongs to no environment", () => {
    const pull = one(closed, "google_artifact_registry_repository_iam_member", "/run-pulls");
    expect(pull.config).toMatchObject({
      project: "mri-platform",
      role: "roles/artifactregistry.reader",
      member: "serviceAccount:service-483920174655@serverless-robot-prod.iam.gserviceaccount.com",
    });
    expect(service.config.depends_on).toContain(`google_artifact_registry_repository_iam_member.${pull.logicalId}`);
    const shared = stackOf(stacks, "run-1-app");
    expect(shared.resources("google_cloud_run_v2_service")).toHaveLength(1);
    expect(shared.resources().filter(({ path }) => path.endsWith("/run-pulls"))).toEqual([]);
  });
});

test("the account of a pipeline may read the image before it deploys the service; CI's may already", () => {
  const deployer = "serviceAccount:pipeline@mri-sandbox.iam.gserviceaccount.com";
  const found = synthesize([
    { ...TEST, deployer },
    { ...CI, deployer },
  ]).stacks;
  const app = stackOf(found, "sandbox-app");
  const pull = one(app, "google_artifact_registry_repository_iam_member", "/deployer-pulls");
  expect(pull.config).toMatchObject({
    project: "mri-platform",
    repository: "brain-tumor-images",
    role: "roles/artifactregistry.reader",
    member: deployer,
  });
  expect(one(app, "google_cloud_run_v2_service").config.depends_on).toContain(
    `google_artifact_registry_repository_iam_member.${pull.logicalId}`,
  );
  const environment = stackOf(found, "run-1-app").resources("google_artifact_registry_repository_iam_member");
  expect(environment.filter(({ config }) => config.member === deployer)).toEqual([]);
});

/** The environment of a stack's service. */
const environmentOf = (stack: typeof open) => {
  const { containers } = one(stack, "google_cloud_run_v2_service").config.template as { containers: [Json] };
  return Object.fromEntries((containers[0].env as Json[]).map(({ name, value }) => [name, value]));
};

describe("who may ask", () => {
  test("behind the load balancer is told by the proxy's token for its backend, and by whom the line names", () => {
    const backend = one(open, "google_compute_backend_service");
    const { AUTH, AUTH_AUDIENCE, AUTH_ROLES } = environmentOf(open);
    expect(AUTH).toBe("iap");
    expect(AUTH_AUDIENCE).toBe(
      `/projects/716204983311/global/backendServices/${ref(`google_compute_backend_service.${backend.logicalId}.generated_id`)}`,
    );
    // Who is in a group the proxy alone knows: it lets nobody in who may not at least look.
    expect(JSON.parse(String(AUTH_ROLES))).toEqual({
      viewer: ["*@*", "dr@example.org"],
      clinician: ["*@radiology.example.org", "dr@example.org"],
      admin: ["Head@example.org", "robot@mri-sandbox.iam.gserviceaccount.com"],
    });
    // Nothing that the backend is made of names the service: it would be a cycle.
    const behind = one(open, "google_cloud_run_v2_service");
    for (const resource of open.resources().filter(({ path }) => path.includes("/load-balancer/")))
      expect(JSON.stringify(resource.config)).not.toContain(behind.logicalId);
  });

  test("without one is told by a token for the service's own address; who has a role may call it, and nobody else", () => {
    const line: HospitalLine = {
      ...TEST,
      serve: { viewers: ["domain:example.org"], clinicians: ["user:dr@example.org", "user:mr@example.org"] },
    };
    const stack = stackOf(synthesize([line]).stacks, "sandbox-app");
    expect(environmentOf(stack)).toMatchObject({
      AUTH: "oidc",
      AUTH_AUDIENCE: "https://sandbox-serve-716204983311.us-central1.run.app",
      AUTH_ROLES: JSON.stringify({
        viewer: ["*@example.org"],
        clinician: ["dr@example.org", "mr@example.org"],
        admin: [],
      }),
    });
    const invokers = stack
      .resources("google_cloud_run_v2_service_iam_member")
      .filter(({ path }) => path.includes("/serve/"));
    expect(invokers.map(({ config }) => `${config.member} ${config.role}`).sort()).toEqual([
      "domain:example.org roles/run.invoker",
      "user:dr@example.org roles/run.invoker",
      "user:mr@example.org roles/run.invoker",
    ]);
    expect(environmentOf(closed)).toMatchObject({
      AUTH: "oidc",
      AUTH_ROLES: '{"viewer":[],"clinician":[],"admin":[]}',
    });
  });

  test("a workload that is let in has a role, and one more grant", () => {
    const stack = new TerraformStack(new App(), "s");
    const keys = hospitalKeysFromNames(PROD, { shared: false });
    const serve = new Serve(stack, "serve", {
      hospital: PROD,
      keys,
      buckets: hospitalBucketsFromNames(PROD, keys.data),
      warehouse: warehouseFromNames(PROD),
      image: new ContainerImage(PUSHED.images.serve as LockedImage),
      maxInstances: 1,
      bindings: { PSEUDONYM_KEY: keys.pseudonym.uri },
    });
    serve.grantInvoke(new Identity(stack, "caller", { hospital: PROD, role: "caller", description: "d" }), "clinician");
    const text = JSON.stringify(stack.toTerraform());
    expect(text).toContain(String.raw`\"clinician\":[\"${"$"}{google_service_account.caller_account_`);
    expect(text).toContain('"role":"roles/run.invoker"');
  });

  test("takes no body that Cloud Run would end with an answer of its own", () => {
    expect(Number(environmentOf(closed).MAX_BODY_MIB)).toBeLessThan(32);
  });
});

describe("public access", () => {
  const backend = one(open, "google_compute_backend_service");

  test("goes through the load balancer only", () => {
    const behind = one(open, "google_cloud_run_v2_service");
    expect(behind.config.ingress).toBe("INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER");
    expect(behind.config.template).toMatchObject({ scaling: { max_instance_count: 7 } });
    const group = one(open, "google_compute_region_network_endpoint_group");
    expect(group.config).toMatchObject({
      network_endpoint_type: "SERVERLESS",
      // By its name: the service is told the backend's id, so a reference would be a cycle.
      cloud_run: { service: behind.config.name },
    });
    expect(backend.config.backend).toEqual([
      expect.objectContaining({ group: ref(`google_compute_region_network_endpoint_group.${group.logicalId}.id`) }),
    ]);
  });

  test("asks who it is: people who are named come through the proxy, and only the proxy calls the service", () => {
    expect(backend.config).toMatchObject({ iap: { enabled: true }, log_config: { enable: true, sample_rate: 1 } });
    const admitted = open.resources("google_iap_web_backend_service_iam_member");
    const through = `roles/iap.httpsResourceAccessor ${ref(`google_compute_backend_service.${backend.logicalId}.name`)}`;
    // Each once, with whatever role.
    expect(
      admitted.map(({ config }) => `${config.member} ${config.role} ${config.web_backend_service}`).sort(),
    ).toEqual([
      `domain:radiology.example.org ${through}`,
      `group:radiology@example.org ${through}`,
      `serviceAccount:robot@mri-sandbox.iam.gserviceaccount.com ${through}`,
      `user:Head@example.org ${through}`,
      `user:dr@example.org ${through}`,
    ]);
    const invokers = open
      .resources("google_cloud_run_v2_service_iam_member")
      .filter(({ path }) => path.includes("/serve/"));
    expect(invokers.map(({ config }) => config.member)).toEqual([
      "serviceAccount:service-716204983311@gcp-sa-iap.iam.gserviceaccount.com",
    ]);
    expect(open.text).not.toMatch(/allUsers|allAuthenticatedUsers/);
  });

  test("is TLS of 1.2 or newer with the domain's certificate; HTTP is sent there", () => {
    const certificate = one(open, "google_compute_managed_ssl_certificate");
    expect(certificate.config).toMatchObject({
      managed: { domains: ["mri.example.org"] },
      lifecycle: { create_before_destroy: true },
    });
    const tls = one(open, "google_compute_ssl_policy");
    expect(tls.config).toMatchObject({ min_tls_version: "TLS_1_2", profile: "RESTRICTED" });
    expect(one(open, "google_compute_target_https_proxy").config).toMatchObject({
      ssl_policy: ref(`google_compute_ssl_policy.${tls.logicalId}.id`),
      ssl_certificates: [ref(`google_compute_managed_ssl_certificate.${certificate.logicalId}.id`)],
    });
    const redirect = one(open, "google_compute_url_map", "/redirect");
    expect(redirect.config).toMatchObject({ default_url_redirect: { https_redirect: true } });
    expect(redirect.config).not.toHaveProperty("default_service");
    expect(one(open, "google_compute_target_http_proxy").config.url_map).toBe(
      ref(`google_compute_url_map.${redirect.logicalId}.id`),
    );
    const ports = open.resources("google_compute_global_forwarding_rule").map(({ config }) => config.port_range);
    expect(ports.sort()).toEqual(["443", "80"]);
  });

  test("another domain has another certificate, made before the old one goes", () => {
    const line = { ...OPEN, serve: { ...OPEN.serve, domain: "scan.example.org" } };
    const next = one(stackOf(synthesize([line]).stacks, "sandbox-app"), "google_compute_managed_ssl_certificate");
    expect(next.config.name).not.toBe(one(open, "google_compute_managed_ssl_certificate").config.name);
  });

  test("passes Cloud Armor, which denies what no rule allows and floods from one address", () => {
    const policy = one(open, "google_compute_security_policy");
    expect(backend.config.security_policy).toBe(ref(`google_compute_security_policy.${policy.logicalId}.id`));
    const rules = policy.config.rule as { priority: number; action: string; match: Json; rate_limit_options?: Json }[];
    expect(new Set(rules.map(({ priority }) => priority)).size).toBe(rules.length);
    const last = rules.find(({ priority }) => priority === 2_147_483_647);
    expect(last).toMatchObject({ action: "deny(403)", match: { config: { src_ip_ranges: ["*"] } } });
    const allow = rules.filter(({ action }) => !action.startsWith("deny"));
    expect(allow).toHaveLength(1);
    expect(allow[0]).toMatchObject({
      action: "throttle",
      match: { config: { src_ip_ranges: ["198.51.100.0/24"] } },
      rate_limit_options: { conform_action: "allow", exceed_action: "deny(429)", enforce_on_key: "IP" },
    });
  });

  test("is watched from outside: a sign-in page is the right answer", () => {
    const [check] = open.resources("google_monitoring_uptime_check_config") as [Resource];
    expect(JSON.stringify(check.config)).toContain("mri.example.org");
    expect(closed.resources("google_monitoring_uptime_check_config")).toEqual([]);
  });
});

describe("who tries models out", () => {
  const app = stackOf(stacks, "st-berta-app");
  const own = app.resources().filter(({ path }) => path.includes("/serve/release/"));
  const roles = (type: string, what: (config: Json) => unknown = () => "") =>
    own
      .filter((resource) => resource.type === type)
      .map(({ config }) => `${what(config)} ${config.role}`)
      .sort();

  test("changes that one service alone, by a role that deletes and invokes nothing", () => {
    expect(roles("google_cloud_run_v2_service_iam_member")).toEqual([
      " projects/mri-st-berta/roles/brainTumorReleaser",
    ]);
    expect(roles("google_project_iam_member").map((role) => role.trim())).toEqual([
      "projects/mri-st-berta/roles/brainTumorReleaseWatcher",
      "roles/bigquery.jobUser",
      "roles/datacatalog.categoryFineGrainedReader",
    ]);
    const made = stackOf(stacks, "st-berta-data")
      .resources("google_project_iam_custom_role")
      .map(({ config }) => [config.role_id, config.permissions]);
    expect(Object.fromEntries(made)).toMatchObject({
      brainTumorReleaser: ["run.revisions.get", "run.services.get", "run.services.update"],
      brainTumorReleaseWatcher: ["monitoring.timeSeries.list", "run.operations.get"],
    });
  });

  test("moves two pointers, adds what is written down of it, and changes nothing else of models and rows", () => {
    const written = own
      .filter(
        ({ type, config }) => type === "google_storage_bucket_iam_member" && !/objectViewer/.test(String(config.role)),
      )
      .map(({ config }) => String((config.condition as Json).expression));
    expect(written.join(" ")).toMatch(/objects\/canaries\//);
    expect(written.join(" ")).toMatch(/objects\/canary\.json/);
    const rows = own
      .filter(({ type, config }) => type === "google_bigquery_table_iam_member" && /Appender/.test(String(config.role)))
      .map(({ config }) => config.table_id);
    expect(rows).toEqual(["audit"]);
  });

  test("is whoever is named, and nothing runs as it; without a name there is no such identity", () => {
    expect(own.filter(({ config }) => config.member === RELEASER).map(({ config }) => config.role)).toEqual([
      "roles/iam.serviceAccountTokenCreator",
    ]);
    expect(closed.resources().filter(({ path }) => path.includes("/release/"))).toEqual([]);
    expect(
      stackOf(stacks, "st-anna-data")
        .resources("google_project_iam_custom_role")
        .map(({ config }) => config.role_id),
    ).not.toContain("brainTumorReleaser");
    expect(() => synthesize([{ ...CI, serve: { releasers: [RELEASER] } }])).toThrow(
      /"serve\.releasers" is given in tier ephemeral/,
    );
  });

  test("the shares of the requests are nobody's who deploys", () => {
    expect(service.config.lifecycle).toMatchObject({ ignore_changes: ["traffic"] });
  });
});
