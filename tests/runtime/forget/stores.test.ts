import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fhirBundle } from "../../../runtime/exchange";
import { find, forget, markOf, openHospital, type Wanted } from "../../../runtime/forget";
import { ErasableDicomStore } from "../../../runtime/forget/dicom-store";
import { ErasableFhirStore } from "../../../runtime/forget/fhir-store";
import { type Identities, identitiesUnder, LocalPseudonymiser } from "../../../runtime/intake";
import { HealthcareClient, healthcareStores } from "../../../runtime/platform/healthcare";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { HealthcareServer, type StoredInstance } from "../../support/healthcare-server";

/** What a hospital's stores in the Cloud Healthcare API keep of a patient goes too: a real server speaks for them. */

const NAMES = healthcareStores({ project: "mri-st-anna", region: "europe-west4", name: "st-anna" });
const PATIENT = "MRN-77-Doe";
const KEY = "a hospital's";

let server: HealthcareServer;
let folder: string;
let workspace: Workspace;
let identities: Identities;

beforeEach(async () => {
  server = await HealthcareServer.start(NAMES);
  folder = await mkdtemp(join(tmpdir(), "forget-stores-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  identities = await identitiesUnder(new LocalPseudonymiser(KEY));
});
afterEach(async () => {
  server.stop();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

const stays = new AbortController().signal;

async function forgetting(wanted: Wanted, dry = false) {
  const client = new HealthcareClient(server.endpoint);
  const place = {
    ...{ buckets: workspace.buckets, warehouse: workspace.warehouse, close: () => workspace.close() },
    stores: {
      dicom: new ErasableDicomStore(client, NAMES.dicom, stays),
      fhir: new ErasableFhirStore(client, NAMES.fhir, stays),
    },
  };
  const found = await find(place, wanted, identities);
  const mark = await markOf(wanted, identities);
  return forget(place, found, { wanted, identities, mark, dry, now: new Date(), signal: stays });
}

const instance = (patient: string, study: number, number: number): StoredInstance => ({
  patient,
  study: `1.2.${study}`,
  series: `1.2.${study}.1`,
  instance: `1.2.${study}.1.${number}`,
});

/** What is delivered of an answer about a patient: a report, its observations, the model. */
function deliver(patient: string, request: string): string[] {
  const bundle = fhirBundle({
    ...{ request, answeredAt: "2026-11-28T00:00:00.000Z", model: "m", modelSha256: "0".repeat(64), recipe: "r" },
    ...{ probability: 0.5, decision: "Cancer", threshold: 0.5, uncertain: null, page: 1, pages: 1 },
    ...{ peak: { x: 1, y: 1 }, verdict: { fit: true, sentence: "It is fit.", reasons: [] }, synthetic: false },
    disclaimer: "Not for diagnosis.",
    image: {
      ...{ study: "2.25.1", series: "2.25.2", instance: "2.25.3", sopClass: "1.2", frame: undefined },
      ...{ patient, accession: undefined, burnedIn: undefined, point: { column: 1, row: 1 } },
    },
  } as unknown as Parameters<typeof fhirBundle>[0]);
  const names = new Map<string, string>();
  for (const { fullUrl = "", resource } of [...(bundle.entry ?? [])].reverse()) {
    let text = JSON.stringify(resource);
    for (const [from, to] of names) text = text.replaceAll(from, to);
    const written = JSON.parse(text) as { resourceType: string };
    // As it was when it was said first.
    names.set(fullUrl, server.put(written, [{ earlier: true }]));
  }
  return [...names.values()];
}

test("a patient's instances go, however many; nobody else's, and none that only looks like his", async () => {
  for (let number = 1; number <= 1200; number++) server.instances.push(instance(PATIENT, 1 + (number % 3), number));
  const others = [
    instance("MRN-77-Doe2", 1, 9000),
    instance("mrn-77-doe", 8, 1),
    instance("MRN-1", 9, 1),
    instance("", 9, 2),
  ];
  server.instances.push(...others);
  const before = server.everything;
  expect((await forgetting({ patient: PATIENT }, true)).objects).toEqual({ "dicom store": 1200 });
  expect(server.everything).toBe(before);
  expect((await forgetting({ patient: PATIENT })).objects).toEqual({ "dicom store": 1200 });
  expect(server.instances).toEqual(others);
});

test.each(["MRN-??-Doe", "M*"])("an id that a search takes for a pattern (%s) is one id", async (id) => {
  server.instances.push(instance(PATIENT, 1, 1), instance(id, 2, 1));
  await forgetting({ patient: id });
  expect(server.instances).toEqual([instance(PATIENT, 1, 1)]);
});

test("what many share is nobody's id", async () => {
  server.instances.push(instance("ANONYMOUS", 1, 1), instance("ANONYMOUS", 2, 1));
  expect((await forgetting({ patient: "ANONYMOUS" })).objects).toEqual({});
  expect(server.instances).toHaveLength(2);
});

test("one scan goes by its name below landing, and those beside it stay", async () => {
  for (let number = 1; number <= 3; number++)
    server.instances.push(instance(PATIENT, 1, number), instance("B", 2, number));
  const { uid } = await identities.of(undefined);
  const { study, series, instance: sop } = instance(PATIENT, 1, 2);
  const source = `Unlabelled/${uid(study)}/${uid(series)}/${uid(sop)}.dcm`;
  expect((await forgetting({ source })).objects).toEqual({ "dicom store": 1 });
  expect(server.instances.map((one) => one.instance).sort()).toEqual(
    ["1.2.1.1.1", "1.2.1.1.3", "1.2.2.1.1", "1.2.2.1.2", "1.2.2.1.3"].sort(),
  );
});

test("what was delivered of answers about the patient goes in every version; the model and others' answers stay", async () => {
  const pseudonym = (await identities.of(PATIENT)).patient as string;
  const own = deliver(pseudonym, "11111111-1111-4111-8111-111111111111");
  const others = deliver("f".repeat(64), "22222222-2222-4222-8222-222222222222");
  const done = await forgetting({ patient: PATIENT });
  expect(done.objects).toEqual({ "fhir store": own.length - 1 });
  expect(server.everything).not.toContain(pseudonym);
  const [device = ""] = own;
  expect([...server.resources.keys()].sort()).toEqual([device, ...others].sort());
});

test("stopped between deletion and purging, the same command purges what it had deleted", async () => {
  const pseudonym = (await identities.of(PATIENT)).patient as string;
  deliver(pseudonym, "11111111-1111-4111-8111-111111111111");
  await forgetting({ patient: PATIENT }, true);
  server.failAfter = 2 * server.asked.length + 1;
  await expect(forgetting({ patient: PATIENT })).rejects.toThrow(/answers 503 to DELETE: UNAVAILABLE\./);
  expect(server.everything).toContain(pseudonym);
  server.failAfter = Number.POSITIVE_INFINITY;
  await forgetting({ patient: PATIENT });
  expect(server.everything).not.toContain(pseudonym);
}, 60_000);

test("a page that leads elsewhere is not asked for", async () => {
  const client = new HealthcareClient(server.endpoint);
  expect(client.pathOf(`${server.endpoint}/v1/projects/p`)).toBe("projects/p");
  expect(() => client.pathOf("https://elsewhere.example/v1/projects/p")).toThrow(/lies elsewhere/);
  expect(() => client.pathOf(`${server.endpoint}.example/v1/projects/p`)).toThrow(/lies elsewhere/);
});

test("a store that is not there is said, and a region that is none", async () => {
  const client = new HealthcareClient(server.endpoint);
  const dicom = new ErasableDicomStore(client, NAMES.dicom.replace("europe-west4", "us-east1"), stays);
  await expect(dicom.erase({ patient: PATIENT }, identities, true)).rejects.toThrow(
    /There is no DICOM store .*us-east1/,
  );
  await expect(openHospital({ project: "mri-st-anna", name: "st-anna", region: "../x" }, stays)).rejects.toThrow(
    /"\.\.\/x" is to be its region/,
  );
});
