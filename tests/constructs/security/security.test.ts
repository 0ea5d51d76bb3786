import { SERVICE_AGENTS, serviceAgentMember } from "../../../constructs/core/service-agents";
import { PROD, ref, stackOf, synthesize, TEST } from "../../stacks/synthesize";

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
  const { stacks } = synthesize([{ ...PROD, kmsKey, pseudonymKey }]);
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

  test("one of the two is enough: the ring is made for the other", () => {
    const half = stackOf(synthesize([{ ...PROD, kmsKey }]).stacks, "st-anna-data");
    expect(half.resources("google_kms_crypto_key").map(({ logicalId }) => logicalId)).toEqual(["pseudonym"]);
  });
});
