import { SERVICE_AGENTS, serviceAgentMember } from "../../../constructs/core/service-agents";
import { type Json, PROD, ref, type SynthesizedStack, stackOf, synthesize, TEST } from "../../stacks/synthesize";

const data = stackOf(synthesize([PROD]).stacks, "st-anna-data");

describe("a hospital's keys", () => {
  test("the data key is rotated every 90 days and cannot be destroyed", () => {
    expect(data.resource("google_kms_crypto_key", "data")).toMatchObject({
      purpose: "ENCRYPT_DECRYPT",
      rotation_period: "7776000s",
      key_ring: ref("google_kms_key_ring.hospital.id"),
      lifecycle: { prevent_destroy: true },
    });
    expect(data.resource("google_kms_key_ring", "hospital")).toMatchObject({
      location: "europe-west4",
      lifecycle: { prevent_destroy: true },
    });
  });

  test("the pseudonym key is a MAC key, which Cloud KMS does not rotate", () => {
    const key = data.resource("google_kms_crypto_key", "pseudonym");
    expect(key).toMatchObject({ purpose: "MAC", version_template: { algorithm: "HMAC_SHA256" } });
    expect(key).not.toHaveProperty("rotation_period");
  });

  test("exactly the service agents that store something may use the data key", () => {
    const grants = data.resources("google_kms_crypto_key_iam_member").map(({ config }) => config);
    expect(grants.map(({ member }) => member).sort()).toEqual(
      SERVICE_AGENTS.map((agent) => serviceAgentMember(PROD, agent)).sort(),
    );
    for (const grant of grants)
      expect(grant).toMatchObject({
        crypto_key_id: ref("google_kms_crypto_key.data.id"),
        role: "roles/cloudkms.cryptoKeyEncrypterDecrypter",
      });
  });
});

describe("keys that the hospital brings", () => {
  const kmsKey = "projects/kms-central/locations/europe-west4/keyRings/mri/cryptoKeys/anna";
  const pseudonymKey = "projects/kms-central/locations/europe-west4/keyRings/mri/cryptoKeys/mac/cryptoKeyVersions/3";
  const auditKey = "projects/kms-central/locations/europe-west4/keyRings/mri/cryptoKeys/sign/cryptoKeyVersions/1";
  const { stacks } = synthesize([{ ...PROD, kmsKey, pseudonymKey, auditKey }]);
  const brought = stackOf(stacks, "st-anna-data");

  test("are used in place of own ones, which are not made", () => {
    expect(brought.resources("google_kms_key_ring")).toEqual([]);
    expect(brought.resources("google_kms_crypto_key")).toEqual([]);
    expect(brought.resource("google_storage_bucket", "landing").encryption).toEqual({
      default_kms_key_name: kmsKey,
    });
    expect(stackOf(stacks, "st-anna-app").text).toContain(`gcp-kms://${pseudonymKey}`);
  });

  test("are granted to the service agents before the first bucket", () => {
    const grants = brought.resources("google_kms_crypto_key_iam_member");
    expect(grants).toHaveLength(SERVICE_AGENTS.length);
    for (const { config } of grants) expect(config.crypto_key_id).toBe(kmsKey);
    expect(brought.resource("google_storage_bucket", "landing").depends_on).toEqual(
      expect.arrayContaining(grants.map(({ type, logicalId }) => `${type}.${logicalId}`)),
    );
  });

  test("are granted to the agents of an ephemeral environment too, whose other key is the platform's", () => {
    const line = {
      ...TEST,
      name: "run-1",
      tier: "ephemeral",
      kmsKey: kmsKey.replace("europe-west4", TEST.region),
    } as const;
    const found = synthesize([line]).stacks;
    const environment = stackOf(found, "run-1-data");
    const grants = environment.resources("google_kms_crypto_key_iam_member");
    expect(grants.map(({ config }) => [config.crypto_key_id, config.member]).sort()).toEqual(
      SERVICE_AGENTS.map((agent) => [line.kmsKey, serviceAgentMember(TEST, agent)]).sort(),
    );
    expect(environment.resource("google_storage_bucket", "landing").depends_on).toEqual(
      expect.arrayContaining(grants.map(({ type, logicalId }) => `${type}.${logicalId}`)),
    );
    expect(environment.resources("google_kms_key_ring")).toEqual([]);
    expect(stackOf(found, "run-1-app").text).toContain("keyRings/brain-tumor-ephemeral/cryptoKeys/pseudonym");
  });

  test("one of them is enough: the ring is made for the others", () => {
    const half = stackOf(synthesize([{ ...PROD, kmsKey }]).stacks, "st-anna-data");
    expect(
      half
        .resources("google_kms_crypto_key")
        .map(({ logicalId }) => logicalId)
        .sort(),
    ).toEqual(["audit", "pseudonym"]);
  });
});

describe("the project's place in its organisation", () => {
  const perimeter = "accessPolicies/123456/servicePerimeters/hospitals";
  const types = (stack: SynthesizedStack) => new Set(stack.resources().map(({ type }) => type));
  const data = stackOf(synthesize([{ ...PROD, perimeter, orgPolicies: true }]).stacks, "st-anna-data");
  const services = (stack: SynthesizedStack) =>
    stack.resources("google_project_service").map(({ config }) => config.service);

  test("is nobody's business by default: no resource, no API, no project that pays", () => {
    const plain = stackOf(synthesize([PROD]).stacks, "st-anna-data");
    expect([...types(plain)].filter((type) => /org_policy|access_context/.test(type))).toEqual([]);
    expect(services(plain).filter((name) => /orgpolicy|accesscontext/.test(String(name)))).toEqual([]);
    expect(JSON.stringify(plain.json.provider)).not.toContain("billing_project");
  });

  test("is in the perimeter that the line names, by its number, once its API is on", () => {
    const [joined, ...others] = data.resources("google_access_context_manager_service_perimeter_resource");
    expect(others).toEqual([]);
    expect(joined?.config).toMatchObject({ perimeter_name: perimeter, resource: "projects/483920174655" });
    expect(JSON.stringify(joined?.config.depends_on)).toMatch(/google_project_service\.services_accesscontextmanager_/);
    expect(services(data)).toEqual(
      expect.arrayContaining(["accesscontextmanager.googleapis.com", "orgpolicy.googleapis.com"]),
    );
    expect(data.json.provider).toEqual({
      google: [expect.objectContaining({ user_project_override: true, billing_project: "mri-st-anna" })],
    });
  });

  const policies = new Map(
    data.resources("google_org_policy_policy").map(({ config }) => [String(config.name).split("/").at(-1), config]),
  );
  const rule = (name: string): Json => {
    const spec = policies.get(name)?.spec as { rules: Json[] } | undefined;
    return spec?.rules[0] ?? {};
  };

  test("is held by policies to what the stacks do anyway", () => {
    for (const name of [
      "storage.publicAccessPrevention",
      "iam.disableServiceAccountKeyCreation",
      "compute.requireOsLogin",
    ])
      expect(rule(name)).toEqual({ enforce: "TRUE" });
    expect(rule("compute.vmExternalIpAccess")).toEqual({ deny_all: "TRUE" });
    expect(rule("gcp.resourceLocations")).toEqual({ values: { allowed_values: ["in:europe-west4-locations"] } });
    for (const { parent, name } of policies.values()) {
      expect(parent).toBe("projects/483920174655");
      expect(name).toMatch(/^projects\/483920174655\/policies\/[a-z]+\.[A-Za-z]+$/);
    }
  });

  test("changes nothing in another stack", () => {
    const app = stackOf(synthesize([{ ...PROD, perimeter, orgPolicies: true }]).stacks, "st-anna-app");
    expect(app.text).toBe(stackOf(synthesize([PROD]).stacks, "st-anna-app").text);
  });

  test("every ingress that a service or a function has is one that the policies allow", () => {
    const app = stackOf(synthesize([{ ...PROD, serve: { domain: "mri.example.org" } }, TEST]).stacks, "st-anna-app");
    const allowed = (name: string) => (rule(name).values as { allowed_values: string[] } | undefined)?.allowed_values;
    const [service] = app.resources("google_cloud_run_v2_service");
    expect(service?.config.ingress).toBe("INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER");
    expect(allowed("run.allowedIngress")).toEqual(["internal", "internal-and-cloud-load-balancing"]);
    const [fn] = app.resources("google_cloudfunctions2_function");
    const settings = fn?.config.service_config as Json | undefined;
    expect(allowed("cloudfunctions.allowedIngressSettings")).toEqual([settings?.ingress_settings]);
  });
});
