import { TABLE_NAMES } from "../../../runtime/platform/warehouse";
import { parseHospitals } from "../../../stacks/config";
import { PROD, type Resource, stackOf, synthesize, TEST } from "../../stacks/synthesize";

const ERASER = "group:privacy@example.org";
const { stacks } = synthesize([{ ...PROD, erasers: [ERASER] }, TEST]);
const data = stackOf(stacks, "st-anna-data");
const own = data.resources().filter(({ path }) => path.startsWith("st-anna-data/erasure/"));
const roles = (type: string, name: (config: Resource["config"]) => unknown) =>
  own
    .filter((resource) => resource.type === type)
    .map(({ config }) => `${name(config)} ${config.role}`)
    .sort();

test("it may delete scans and change rows, and look at models", () => {
  const bucket = ({ bucket: id }: Resource["config"]) => /google_storage_bucket\.(\w+)\.name/.exec(String(id))?.[1];
  expect(roles("google_storage_bucket_iam_member", bucket)).toEqual([
    ...["curated", "landing"].map((name) => `${name} roles/storage.objectUser`),
    "models roles/storage.objectViewer",
    ...["processed", "quarantine", "reports", "warehouse"].map((name) => `${name} roles/storage.objectUser`),
  ]);
  const [role] = own.filter(({ type }) => type === "google_project_iam_custom_role") as [Resource];
  expect(role.config.permissions).toEqual([
    "bigquery.tables.get",
    "bigquery.tables.getData",
    "bigquery.tables.updateData",
  ]);
  const tables = roles("google_bigquery_table_iam_member", ({ table_id }) => table_id);
  expect(tables).toHaveLength(TABLE_NAMES.length);
  expect(new Set(tables.map((one) => one.split(" ")[1]))).toEqual(
    new Set([`\${google_project_iam_custom_role.${role.logicalId}.name}`]),
  );
  expect(roles("google_project_iam_member", ({ project }) => project)).toEqual([
    "mri-st-anna roles/bigquery.jobUser",
    "mri-st-anna roles/datacatalog.categoryFineGrainedReader",
  ]);
  expect(roles("google_kms_crypto_key_iam_member", () => "key")).toEqual([
    "key roles/cloudkms.cryptoKeyDecrypter",
    "key roles/cloudkms.cryptoKeyEncrypterDecrypter",
    "key roles/cloudkms.signerVerifier",
  ]);
});

test("who is named may act as it, and nothing runs as it", () => {
  const [account] = own.filter(({ type }) => type === "google_service_account") as [Resource];
  const acting = data
    .resources("google_service_account_iam_member")
    .filter(({ config }) => String(config.service_account_id).includes(account.logicalId));
  expect(acting.map(({ config }) => [config.role, config.member])).toEqual([
    ["roles/iam.serviceAccountTokenCreator", ERASER],
  ]);
  for (const stack of stacks.values())
    for (const { type, path, config } of stack.resources())
      if (!path.startsWith("st-anna-data/erasure/"))
        expect(`${type} ${/st-anna-forget|erasure/.exec(JSON.stringify({ ...config, "//": undefined }))?.[0]}`).toBe(
          `${type} undefined`,
        );
});

test("a line that names nobody has no such identity", () => {
  const without = synthesize([PROD, TEST]).stacks;
  expect(stackOf(without, "st-anna-data").text).not.toMatch(/forget|brainTumorEraser/);
  expect(stackOf(without, "sandbox-data").text).toBe(stackOf(stacks, "sandbox-data").text);
});

test("an environment, which is erased as a whole, cannot have one", () => {
  expect(() => parseHospitals([{ ...TEST, tier: "ephemeral", erasers: [ERASER] }])).toThrow(
    /"erasers" is given in tier ephemeral/,
  );
});

describe("of a hospital with stores in the Cloud Healthcare API", () => {
  const withStores = stackOf(
    synthesize([{ ...PROD, erasers: [ERASER], pacs: "healthcare-api" }, TEST]).stacks,
    "st-anna-data",
  );
  const grants = withStores
    .resources()
    .filter(({ type, path }) => /^google_healthcare_.*_iam_member$/.test(type) && path.includes("/erasure/"));

  test("it may search and delete in both, and do nothing else there", () => {
    expect(
      grants.map(({ type, config }) => [type, config.dicom_store_id ?? config.fhir_store_id, config.depends_on]),
    ).toEqual(
      (["dicom", "fhir"] as const).map((kind) => [
        `google_healthcare_${kind}_store_iam_member`,
        `projects/mri-st-anna/locations/europe-west4/datasets/st-anna-pacs/${kind}Stores/${kind}`,
        ["google_healthcare_dicom_store.pacs_dicom", "google_healthcare_fhir_store.pacs_fhir"],
      ]),
    );
    const permissions = withStores
      .resources("google_project_iam_custom_role")
      .filter(({ path }) => /\/erasure\/(dicom|result)-eraser$/.test(path))
      .map(({ config }) => config.permissions);
    expect(permissions).toEqual([
      ["healthcare.dicomStores.dicomWebDelete", "healthcare.dicomStores.dicomWebRead"],
      ["healthcare.fhirResources.delete", "healthcare.fhirResources.purge", "healthcare.fhirStores.searchResources"],
    ]);
  });

  test("without erasers nobody may delete there", () => {
    const { stacks: none } = synthesize([{ ...PROD, pacs: "healthcare-api" }, TEST]);
    expect(stackOf(none, "st-anna-data").text).not.toMatch(/dicomWebDelete|fhirResources\.(delete|purge)/);
  });
});
