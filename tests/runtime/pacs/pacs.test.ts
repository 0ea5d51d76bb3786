import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ingestAll } from "../../../runtime/ingest";
import { openIdentities } from "../../../runtime/intake";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { headScan, IDENTIFIERS, INSTANCE_UID, PATIENT, SERIES_UID, STUDY_UID } from "../../support/head-scan";
import { pushed, push as pushTo } from "../../support/push";

const KEY = "local:of this test";
const STORE = "projects/mri-st-anna/locations/europe-west4/datasets/st-anna-pacs/dicomStores/dicom";
const path = (instance = INSTANCE_UID) => `dicomWeb/studies/${STUDY_UID}/series/${SERIES_UID}/instances/${instance}`;

/** Stands in for the Cloud Healthcare API: instances by their paths, and what was asked for. */
class Store {
  readonly instances = new Map<string, Buffer>();
  readonly asked: { readonly url: string; readonly accept: string | undefined }[] = [];
  /** Answers with this status in place of an instance. */
  status: number | undefined;
  private server: Server | undefined;

  async start(): Promise<string> {
    const server = createServer((request, response) => {
      const url = request.url ?? "";
      this.asked.push({ url, accept: request.headers.accept });
      const found = this.instances.get(url);
      if (this.status !== undefined) response.writeHead(this.status, { location: "/elsewhere" }).end("DOE^JANE");
      else if (!found) response.writeHead(404).end();
      else response.writeHead(200, { "content-type": "application/dicom" }).end(found);
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  put(bytes: Buffer, instance?: string): void {
    this.instances.set(`/v1/${STORE}/${path(instance)}`, bytes);
  }

  stop(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }
}

/** Its environment is read when it is loaded. */
const loadedFunction = () =>
  require("../../../runtime/pacs/function") as typeof import("../../../runtime/pacs/function");

const store = new Store();
let scratch: string;
let workspace: Workspace;
let landInstance: ReturnType<typeof loadedFunction>["landInstance"];
const before = { ...process.env };

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "pacs-"));
  workspace = await openWorkspace(join(scratch, "workspace"));
  Object.assign(process.env, {
    DICOM_STORE: STORE,
    PSEUDONYM_KEY: KEY,
    LANDING_BUCKET: pathToFileURL(join(scratch, "workspace", "landing")).href,
    MAX_FILE_BYTES: "200000",
    LOG_LEVEL: "fatal",
    HEALTHCARE_API_ENDPOINT: await store.start(),
  });
  landInstance = loadedFunction().landInstance;
});
afterAll(async () => {
  process.env = before;
  store.stop();
  await workspace.close();
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(() => {
  store.status = undefined;
  store.asked.length = 0;
});

const push = (body: unknown) => pushTo(landInstance, body);
const notified = (name: string, attributes: Record<string, string> = { action: "StoreInstances" }) =>
  pushed(attributes, name);
const stored = (instance?: string) => notified(`${STORE}/${path(instance)}`);

async function landed() {
  const found: { name: string; size: number }[] = [];
  for await (const { name, size } of workspace.buckets.landing.listAll()) found.push({ name, size });
  return found;
}

test("an instance lands as it was stored, under the names of every door, once however often it is told", async () => {
  const bytes = headScan();
  store.put(bytes);
  const answers = await Promise.all([push(stored()), push(stored()), push(stored())]);
  answers.push(await push(JSON.stringify(notified(`${STORE}/${path()}`, {}))));
  expect(answers).toEqual([204, 204, 204, 204].map((status) => [status, ""]));
  expect(store.asked[0]).toEqual({ url: `/v1/${STORE}/${path()}`, accept: "application/dicom; transfer-syntax=*" });

  const { uid, patient } = await (await openIdentities(KEY)).of(PATIENT);
  const [study, series, instance] = [STUDY_UID, SERIES_UID, INSTANCE_UID].map(uid);
  const name = `Unlabelled/${study}/${series}/${instance}.dcm`;
  expect(await landed()).toEqual([{ name, size: bytes.length }]);
  expect((await workspace.buckets.landing.read(name)).equals(bytes)).toBe(true);

  await ingestAll(
    { workspace, seed: 0, signal: new AbortController().signal, progress: silentProgress, log: createLogger("test") },
    { pseudonymKey: KEY },
  );
  const rows = await workspace.warehouse.rows("images");
  expect(rows.map(({ row }) => row)).toMatchObject([
    { source: name, status: "curated", label: null, patient, study, series, instance },
  ]);
  for (const identifier of IDENTIFIERS) expect(JSON.stringify(rows)).not.toContain(identifier);
});

test("another file of the same instance lands beside it, and that once too", async () => {
  const [first] = await landed();
  store.put(headScan({ more: [[0x0008_1030, "LO", "stored anew"]] }));
  expect((await push(stored()))[0]).toBe(204);
  expect((await push(stored()))[0]).toBe(204);
  const names = (await landed()).map(({ name }) => name);
  expect(names).toHaveLength(2);
  expect(names).toContain(first?.name);
  expect(names.filter((one) => one !== first?.name)[0]).toMatch(/\/2\.25\.\d+-[0-9a-f]{16}\.dcm$/);
});

test.each([
  ["was deleted", notified(`${STORE}/${path()}`, { action: "DeleteInstance" })],
  ["is gone meanwhile", stored("1.2.3.999")],
])("an instance that %s is nothing to do", async (_what, body) => {
  const count = (await landed()).length;
  expect(await push(body)).toEqual([204, ""]);
  expect(await landed()).toHaveLength(count);
});

test("what ingest would not look at stays in the store", async () => {
  const count = (await landed()).length;
  store.put(Buffer.from("no DICOM"), "1.2.3.1");
  store.put(headScan({ more: [[0x0008_0060, "CS", "CT"]] }), "1.2.3.2");
  expect(await push(stored("1.2.3.1"))).toEqual([204, ""]);
  expect(await push(stored("1.2.3.2"))).toEqual([204, ""]);
  expect(await landed()).toHaveLength(count);
});

test.each([
  ["no push", {}, /no Pub\/Sub push/],
  ["no JSON", "{", /not JSON/],
  ["no instance", notified("projects/p/topics/t"), /names no instance/],
  ["a path that climbs", notified(`${STORE}/dicomWeb/studies/1/series/1/instances/../../..`), /names no instance/],
  ["UIDs that climb", notified(`${STORE}/dicomWeb/studies/../series/../instances/..`), /names no instance/],
  ["one that does", notified(`${STORE}/${path("..")}`), /names no instance/],
  ["a UID with an empty component", notified(`${STORE}/${path("1..2")}`), /names no instance/],
  [
    "a store that climbs",
    notified(`projects/mri-st-anna/locations/europe-west4/datasets/../dicomStores/dicom/${path()}`),
    /names no instance/,
  ],
  ["a query", notified(`${STORE}/${path()}?alt=media`), /names no instance/],
  ["another store", notified(`${STORE}-2/${path()}`), /another DICOM store/],
])("%s is refused, and nothing is asked for", async (_what, body, sentence) => {
  const [status, text] = await push(body);
  expect([status, text]).toEqual([400, expect.stringMatching(sentence)]);
  expect(store.asked).toEqual([]);
});

test("an instance that is too large waits as a dead letter", async () => {
  store.put(Buffer.alloc(200_001), "1.2.3.3");
  expect(await push(stored("1.2.3.3"))).toEqual([400, expect.stringMatching(/more than 200000 bytes/)]);
});

test.each([302, 401, 403, 429, 500, 503])("while the store answers %i the event is to come again", async (status) => {
  store.status = status;
  const [answer, text] = await push(stored());
  expect(answer).toBe(500);
  for (const identifier of IDENTIFIERS) expect(text).not.toContain(identifier);
  // A redirection is not followed: what is asked for names a study.
  expect(store.asked).toHaveLength(1);
});
