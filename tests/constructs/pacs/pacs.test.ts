import { buildApp } from "../../../stacks/app";
import { type HospitalLine, parseHospitals } from "../../../stacks/config";
import { diffGolden, goldenStack } from "../../../tools/golden";
import { EXAMPLE_PLATFORM } from "../../../tools/tiers";
import { type Json, PROD, PUSHED, type Resource, stackOf, synthesize, TEST } from "../../stacks/synthesize";

const SENDER = "serviceAccount:dicom-adapter@mri-st-anna.iam.gserviceaccount.com";
const PACS: Pick<HospitalLine, "pacs" | "pacsSenders"> = { pacs: "healthcare-api", pacsSenders: [SENDER] };
const OTHER: HospitalLine = { ...TEST, name: "other", project: "mri-other", projectNumber: "100000000021" };

/** With workflows that deploy, as their rights follow the line too. */
const build = (lines: readonly HospitalLine[]) =>
  synthesize(lines, (some, options) => buildApp(some, { ...options, images: PUSHED, platform: EXAMPLE_PLATFORM }))
    .stacks;
const without = build([PROD, TEST, OTHER]);
const stacks = build([{ ...PROD, ...PACS }, { ...TEST, pacs: "healthcare-api" }, OTHER]);
const data = stackOf(stacks, "st-anna-data");
const app = stackOf(stacks, "st-anna-app");

const changes = (name: string) => diffGolden(goldenStack(stackOf(without, name)), goldenStack(stackOf(stacks, name)));

test("without the key nothing changes: every other stack is what it was, byte by byte", () => {
  expect([...stacks.keys()]).toEqual([...without.keys()]);
  const others = [...without].filter(([name]) => !/^(st-anna|sandbox)-/.test(name));
  expect(others.map(([name]) => name).sort()).toEqual(["bootstrap", "other-app", "other-data", "platform"]);
  for (const [name, { text }] of others) expect(stacks.get(name)?.text).toBe(text);
});

test.each(["data", "app"])("what it adds to the %s stack is what was reviewed", (kind) => {
  const differences = changes(`st-anna-${kind}`);
  const added = differences.filter(({ path, change }) => path === "" && change === "added");
  expect(Object.fromEntries(added.map(({ address, after }) => [address, after]))).toMatchSnapshot();
  // Rights to deploy what is new, and charts of it; nothing that was there goes or is made anew. One more API to wait for is
  // no change.
  const changed = differences.filter((one) => !added.includes(one) && !one.path.startsWith("depends_on"));
  const touched = new Set(changed.map(({ address }) => address));
  expect([...touched].map((address) => address.replace(/_[0-9A-F]{8}$/, ""))).toEqual(
    kind === "data"
      ? ["google_project_iam_custom_role.delivery_deploy_role", "google_project_iam_custom_role.delivery_plan_role"]
      : ["google_monitoring_dashboard.observability_dashboard", "output.alerts"],
  );
});

describe("the dataset", () => {
  const dataset = data.resource("google_healthcare_dataset", "pacs");

  test("lies in the hospital's region, under its key, once the API's agent may use that", () => {
    expect(dataset).toMatchObject({
      location: "europe-west4",
      encryption_spec: {
        kms_key_name: "projects/mri-st-anna/locations/europe-west4/keyRings/brain-tumor-st-anna/cryptoKeys/data",
      },
    });
    const agent = "serviceAccount:service-483920174655@gcp-sa-healthcare.iam.gserviceaccount.com";
    const [grant] = data
      .resources("google_kms_crypto_key_iam_member")
      .filter(({ config }) => config.member === agent) as [Resource];
    expect(dataset.depends_on).toEqual([`google_kms_crypto_key_iam_member.${grant.logicalId}`]);
    expect(JSON.stringify(grant.config.depends_on)).toContain("google_project_service.services_healthcare");
    const [publishes] = data
      .resources("google_pubsub_topic_iam_member")
      .filter(({ config }) => config.member === agent) as [Resource];
    expect(publishes.config.role).toBe("roles/pubsub.publisher");
    expect(data.resource("google_healthcare_dicom_store", "pacs_dicom").depends_on).toEqual([
      `google_pubsub_topic_iam_member.${publishes.logicalId}`,
    ]);
  });

  test("is kept with its stores where the hospital's data is, and goes where that goes", () => {
    const kept = (stack: typeof data) =>
      stack
        .resources()
        .filter(({ type }) => /^google_healthcare_(dataset|dicom_store|fhir_store)$/.test(type))
        .map(({ config }) => (config.lifecycle as Json | undefined)?.prevent_destroy);
    expect(kept(data)).toEqual([true, true, true]);
    expect(kept(stackOf(stacks, "sandbox-data"))).toEqual([undefined, undefined, undefined]);
  });
});

describe("who may do what", () => {
  test("each on the one store, by a role of one purpose, and nobody on the dataset", () => {
    const grants = [data, app].flatMap((stack) =>
      stack.resources().filter(({ type }) => /^google_healthcare_.*_iam_member$/.test(type)),
    );
    expect(grants.map(({ path, type, config }) => [path.replace(/-[0-9a-f]{8}$/, ""), type, config.role])).toEqual([
      [
        "st-anna-app/pacs/identity/retrieve-dicom",
        "google_healthcare_dicom_store_iam_member",
        "projects/mri-st-anna/roles/brainTumorDicomRetriever",
      ],
      [
        "st-anna-app/pacs/send",
        "google_healthcare_dicom_store_iam_member",
        "projects/mri-st-anna/roles/brainTumorDicomSender",
      ],
      [
        "st-anna-app/deliver/identity/deliver-fhir",
        "google_healthcare_fhir_store_iam_member",
        "projects/mri-st-anna/roles/brainTumorResultWriter",
      ],
    ]);
    const sends = grants.find(({ config }) => config.member === SENDER)?.config;
    // What is stored before somebody listens would never be ingested.
    expect(sends?.depends_on).toEqual(["google_pubsub_subscription.pacs"]);
  });

  test("no role but the deployer's can delete, replace or export what lies in a store", () => {
    const roles = data
      .resources("google_project_iam_custom_role")
      .filter(({ path }) => path.includes("/pacs/"))
      .flatMap(({ config }) => config.permissions as string[]);
    expect(roles.filter((one) => /delete|update|export|import|setIam/i.test(one))).toEqual([]);
    expect(roles).toHaveLength(5);
  });
});

describe("the line", () => {
  test.each([
    [{ ...PROD, pacs: "orthanc" }, /"pacs" is "orthanc"; allowed: "healthcare-api"/],
    [{ ...PROD, ...PACS, region: "europe-west1" }, /"pacs" is "healthcare-api" in region "europe-west1"/],
    [{ ...PROD, pacsSenders: [SENDER] }, /"pacsSenders" names who may store, and there is no store/],
    [{ ...PROD, ...PACS, pacsSenders: ["allUsers"] }, /pacsSenders/],
    [{ ...TEST, ...PACS, tier: "ephemeral" }, /"pacs" is "healthcare-api" in tier ephemeral; allowed: in tiers prod/],
  ])("%#: what is wrong is said in a sentence", (line, sentence) => {
    expect(() => parseHospitals([line])).toThrow(sentence);
  });
});
