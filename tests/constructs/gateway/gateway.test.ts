import { belowFolders, readsBelow } from "../../../constructs/storage/place-condition";
import { GATEWAY_FOLDER, LEARNT_FOLDERS } from "../../../runtime/intake";
import { parseHospitals } from "../../../stacks/config";
import { PROD, stackOf, synthesize } from "../../stacks/synthesize";

const POOL = "iam.googleapis.com/projects/100000000001/locations/global/workloadIdentityPools/hospital";
const PRINCIPAL = `principal://${POOL}/subject/gateway`;

const stacks = synthesize([{ ...PROD, gateway: { principal: PRINCIPAL } }]).stacks;
const all = [...stacks.values()];
const app = stackOf(stacks, "st-anna-app");
const LANDING = "mri-st-anna-st-anna-landing";
const REPORTS = "mri-st-anna-st-anna-reports";
const below = `resource.name.startsWith("projects/_/buckets/${LANDING}/objects/${GATEWAY_FOLDER}")`;

test("the account adds and reads below its own folder, computes pseudonyms, and may do nothing else", () => {
  const rights = app
    .resources()
    .filter(({ type, path }) => path.startsWith("st-anna-app/gateway/") && type.endsWith("_iam_member"))
    .map(({ type, config }) => [
      type,
      config.role,
      (config.condition as { expression?: string } | undefined)?.expression,
    ]);
  expect(rights.sort()).toEqual([
    ["google_kms_crypto_key_iam_member", "roles/cloudkms.cryptoKeyEncrypter", undefined],
    ["google_kms_crypto_key_iam_member", "roles/cloudkms.signerVerifier", undefined],
    ["google_service_account_iam_member", "roles/iam.workloadIdentityUser", undefined],
    ["google_storage_bucket_iam_member", "roles/storage.objectCreator", below],
    ["google_storage_bucket_iam_member", "roles/storage.objectViewer", below],
    ["google_storage_bucket_iam_member", "roles/storage.objectViewer", readsBelow(REPORTS, ["studies/"]).expression],
  ]);
  expect(belowFolders(LANDING, [GATEWAY_FOLDER]).expression).toBe(below);
  expect(readsBelow(LANDING, [GATEWAY_FOLDER]).expression).toBe(below);
  expect(() => readsBelow(LANDING, ["Unlabelled/gateway"])).toThrow(/must end in a slash/);
});

test("the principal of the line signs in as it, and no key is made", () => {
  const [signsIn] = app.resources().filter(({ config }) => config.role === "roles/iam.workloadIdentityUser");
  expect(signsIn?.config.member).toBe(PRINCIPAL);
  expect(all.flatMap((stack) => stack.resources("google_service_account_key"))).toEqual([]);
});

test("nobody else of the stacks may create there", () => {
  const others = all
    .flatMap((stack) => stack.resources("google_storage_bucket_iam_member"))
    .filter(({ path, config }) => String(config.bucket).endsWith("landing") && !path.startsWith("st-anna-app/gateway/"))
    .filter(({ config }) =>
      ["roles/storage.objectCreator", "roles/storage.objectUser", "roles/storage.objectAdmin"].includes(
        String(config.role),
      ),
    )
    .filter(({ config }) => {
      const open = (config.condition as { expression: string } | undefined)?.expression ?? "";
      return !open.includes(`!${below}`) && open !== belowFolders(LANDING, LEARNT_FOLDERS).expression;
    });
  // Where a retraining adds what people agree on lies beside the gateway's folder.
  for (const folder of LEARNT_FOLDERS)
    expect(folder.startsWith(GATEWAY_FOLDER) || GATEWAY_FOLDER.startsWith(folder)).toBe(false);
  expect(others.map(({ path }) => path)).toEqual([]);
});

test("a line without a principal has no such account", () => {
  const without = stackOf(synthesize([PROD]).stacks, "st-anna-app");
  expect(without.resources().filter(({ path }) => path.startsWith("st-anna-app/gateway/"))).toEqual([]);
});

test.each([
  `principalSet://${POOL}/*`,
  `principalSet://${POOL}/group/*`,
  `principal://${POOL}`,
  `principal://${POOL}/group/radiology`,
  `principalSet://${POOL}/subject/gateway`,
  "serviceAccount:x@y.iam.gserviceaccount.com",
  "allUsers",
])("%s is no principal", (principal) => {
  expect(() => parseHospitals([{ ...PROD, gateway: { principal } }])).toThrow(/gateway\.principal/);
});

test.each([`principalSet://${POOL}/group/radiology`, `principalSet://${POOL}/attribute.host/pacs-1`])(
  "%s is one",
  (principal) => {
    const [hospital] = parseHospitals([{ ...PROD, gateway: { principal } }]);
    expect(hospital?.gateway.principal).toBe(principal);
  },
);
