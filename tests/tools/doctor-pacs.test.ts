import { serviceAgentMember } from "../../constructs/core/service-agents";
import { type Hospital, parseHospitals } from "../../stacks/config";
import { hospitalServices } from "../../stacks/hospital-data-stack";
import type { Subject } from "../../tools/doctor/checkup";
import type { Declared } from "../../tools/doctor/declared";
import { grants } from "../../tools/doctor/grants";
import { agents, apis } from "../../tools/doctor/project";
import type { Runner } from "../../tools/gcloud";
import { preparation } from "../../tools/prepare-project";
import { PROD } from "../stacks/synthesize";

const [plain, asking] = parseHospitals([
  PROD,
  { ...PROD, name: "mercy", project: "mri-mercy", projectNumber: "1234567890", pacs: "healthcare-api" },
]) as [Hospital, Hospital];
const API = "healthcare.googleapis.com";
const STORE = "projects/mri-mercy/locations/europe-west4/datasets/mercy-pacs/dicomStores/dicom";
const SENDER = "serviceAccount:adapter@mri-mercy.iam.gserviceaccount.com";
const ROLE = "projects/mri-mercy/roles/brainTumorDicomSender";

const declared = {
  resources: [
    {
      stack: "mercy-app",
      type: "google_healthcare_dicom_store_iam_member",
      config: { dicom_store_id: STORE, role: ROLE, member: SENDER },
    },
  ],
  ofType: () => [],
  matches: () => [],
  backends: [],
} as unknown as Declared;

const subject = (hospital: Hospital, run: Runner): Subject => ({ hospital, declared, dry: false, run });
const commands = (hospital: Hospital) =>
  preparation({ project: hospital.project, services: hospitalServices(hospital) }).map((command) => command.join(" "));

test("prepare-project switches the Cloud Healthcare API on, and makes its identity, where the line asks for it alone", () => {
  expect(commands(asking)[0]).toContain(` ${API} `);
  expect(commands(asking)).toContain(
    `gcloud beta services identity create --service=${API} --project=${asking.project}`,
  );
  expect(commands(plain).join("\n")).not.toContain("healthcare");
});

test("the doctor misses the API and its identity where the line asks for them alone", async () => {
  const enabled = hospitalServices(plain).map((name) => ({ config: { name } }));
  const without: Runner = (command) => JSON.stringify(command.includes("services") ? enabled : { bindings: [] });
  expect(await apis(subject(plain, without))).toMatchObject([{ status: "ok" }]);
  expect(await apis(subject(asking, without))).toMatchObject([{ status: "failed", says: `1 are off: ${API}.` }]);
  const [missing] = await agents(subject(asking, without));
  expect(missing?.says).toMatch(/^Nothing shows that 10 of 10 exist: .*, healthcare\.$/);
  const [other] = await agents(subject(plain, without));
  expect(other?.says).not.toContain("healthcare");
  const all: Runner = () =>
    JSON.stringify({ bindings: [{ role: "r", members: [serviceAgentMember(asking, "healthcare")] }] });
  expect((await agents(subject(asking, all)))[0]?.says).toMatch(/^Nothing shows that 9 of 10 exist: (?!.*healthcare)/);
});

test("the doctor reads a store's policy, and says who is missing there", async () => {
  const asked: string[] = [];
  const answering =
    (members: readonly string[]): Runner =>
    (command) => {
      asked.push(command.join(" "));
      return JSON.stringify({ bindings: [{ role: ROLE, members }] });
    };
  expect(await grants(subject(asking, answering([SENDER])))).toMatchObject([
    { check: "grants on DICOM stores", status: "ok" },
  ]);
  expect(asked).toEqual([
    "gcloud healthcare dicom-stores get-iam-policy dicom --dataset=mercy-pacs --location=europe-west4 --project=mri-mercy --format=json",
  ]);
  const [finding] = await grants(subject(asking, answering([])));
  expect(finding).toMatchObject({ status: "failed", says: expect.stringContaining(`${ROLE} for ${SENDER} on dicom`) });
});
