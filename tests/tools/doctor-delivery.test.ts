import { type Hospital, parseHospitals } from "../../stacks/config";
import { hospitalServices } from "../../stacks/hospital-data-stack";
import type { Subject } from "../../tools/doctor/checkup";
import type { Declared } from "../../tools/doctor/declared";
import { grants } from "../../tools/doctor/grants";
import { apis } from "../../tools/doctor/project";
import type { Runner } from "../../tools/gcloud";
import { PROD } from "../stacks/synthesize";

const [plain, asking] = parseHospitals([
  PROD,
  {
    ...PROD,
    ...{ name: "mercy", project: "mri-mercy", projectNumber: "1234567890" },
    delivery: {
      to: "https://fhir.example.org/r4",
      addresses: ["203.0.113.7/32"],
      signingKey: "secrets/signing-key/versions/1",
      mtls: { certificate: "secrets/certificate/versions/1", key: "secrets/key/versions/1" },
    },
  },
]) as [Hospital, Hospital];
const ROLE = "roles/secretmanager.secretAccessor";
const MEMBER = "serviceAccount:mercy-deliver@mri-mercy.iam.gserviceaccount.com";
const declared = {
  resources: [
    {
      stack: "mercy-app",
      type: "google_secret_manager_secret_iam_member",
      config: { secret_id: "signing-key", project: "mri-mercy", role: ROLE, member: MEMBER },
    },
  ],
  ofType: () => [],
  matches: () => [],
  backends: [],
} as unknown as Declared;
const subject = (hospital: Hospital, run: Runner): Subject => ({ hospital, declared, dry: false, run });

test("the doctor misses the APIs of a receiver outside where the line names one alone", async () => {
  const enabled = hospitalServices(plain).map((name) => ({ config: { name } }));
  const without: Runner = (command) => JSON.stringify(command.includes("services") ? enabled : { bindings: [] });
  expect(await apis(subject(plain, without))).toMatchObject([{ status: "ok" }]);
  expect(await apis(subject(asking, without))).toMatchObject([
    { status: "failed", says: "2 are off: secretmanager.googleapis.com, vpcaccess.googleapis.com." },
  ]);
});

test("the doctor reads a secret's policy, never its value, and says who may not read it", async () => {
  const asked: string[] = [];
  const answering =
    (members: readonly string[]): Runner =>
    (command) => {
      asked.push(command.join(" "));
      return JSON.stringify({ bindings: [{ role: ROLE, members }] });
    };
  expect(await grants(subject(asking, answering([MEMBER])))).toMatchObject([
    { check: "grants on secrets", status: "ok" },
  ]);
  expect(asked).toEqual(["gcloud secrets get-iam-policy signing-key --project=mri-mercy --format=json"]);
  const [finding] = await grants(subject(asking, answering([])));
  expect(finding).toMatchObject({
    status: "failed",
    says: expect.stringContaining(`${ROLE} for ${MEMBER} on signing-key`),
  });
});
