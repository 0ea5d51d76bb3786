import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { deflateRawSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import { creatableOnly } from "../../../runtime/platform/stores";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer } from "../../../runtime/serve";
import { serveContract } from "../../../runtime/serve/contract";
import { FileReaders, UnreadableFile } from "../../../runtime/serve/reading/file-readers";
import { headPng } from "../../support/bright-spot";
import { head, RawClient } from "../../support/raw-http";
import { promote, storeModel } from "../../support/served-model";
import {
  bytesOfSlice,
  drawSlice,
  EXPLICIT,
  head as elementHead,
  ITEM,
  mrElements,
  UNDEFINED_LENGTH,
  writeFile as writeDicom,
  writeElements,
} from "../imaging/dicom/dicom-writer";

// Real sockets: DICOM that is made to hurt whoever reads it, through both doors, with a plain prediction beside each.

const PIXELS = writeElements([[0x7fe0_0010, "OW", bytesOfSlice(drawSlice(64, 64))]]);
const START = writeElements(
  mrElements(64, 64, [
    [0x0020_000d, "UI", "1.2.3"],
    [0x0020_000e, "UI", "1.2.3.4"],
  ]),
);
/** `inserted` stands before the pixels, where private and other unknown elements may. */
const between = (inserted: Buffer) => writeDicom(Buffer.concat([START, inserted, PIXELS]));
const implicit = (tag: number, length: number) => elementHead(tag, "", length, { explicit: false });

const nested = (depth: number) => {
  const one = Buffer.concat([elementHead(0x6001_1000, "SQ", UNDEFINED_LENGTH), implicit(ITEM, UNDEFINED_LENGTH)]);
  return between(Buffer.concat(Array.from({ length: depth }, () => one)));
};
const privateTags = (count: number) =>
  between(
    Buffer.concat(
      Array.from({ length: count }, (_, i) =>
        writeElements([[0x6001_0000 + 0x1_0000 * 2 * Math.floor(i / 50_000) + 0x1000 + (i % 50_000), "LO", "ab"]]),
      ),
    ),
  );
const absurd = between(elementHead(0x6001_1000, "OB", 0xffff_fffe));
const absurdPixels = writeDicom(Buffer.concat([START, elementHead(0x7fe0_0010, "OW", 0xffff_fff0), Buffer.alloc(64)]));
const bomb = writeDicom(deflateRawSync(Buffer.concat([START, Buffer.alloc(200 * 2 ** 20)])), {
  transferSyntax: "1.2.840.10008.1.2.1.99",
});
const items = between(
  Buffer.concat([
    elementHead(0x6001_1000, "SQ", UNDEFINED_LENGTH),
    ...Array.from({ length: 300_000 }, () => implicit(ITEM, 0)),
  ]),
);

/** Status of a prediction, and the Failure Reason of STOW; 200 and none where a file is big and right. */
const FILES: readonly (readonly [string, Buffer, number, number | undefined])[] = [
  ["10,000 nested sequences", nested(10_000), 422, 0xc000],
  ["100,000 private tags", privateTags(100_000), 200, undefined],
  ["300,000 private tags", privateTags(300_000), 422, 0xc000],
  ["300,000 items", items, 422, 0xc000],
  ["a value of 4 GiB", absurd, 415, 0x0122],
  ["pixels of 4 GiB", absurdPixels, 422, 0xc000],
  ["200 MiB deflated", bomb, 422, 0xa900],
];

let folder: string;
let workspace: Workspace;
let app: FastifyInstance;
let url: string;
let scan: Buffer;

async function serving(readers?: FileReaders): Promise<[FastifyInstance, string]> {
  const { models, reports, landing } = workspace.buckets;
  const server = await buildServer({
    ...{ models, reports, warehouse: workspace.warehouse, log: pino({ level: "silent" }), deadlineSeconds: 600 },
    landing: creatableOnly(landing, serveContract.createsBelow.landing),
    ...(readers ? { readers } : {}),
  });
  return [server, await server.listen({ port: 0, host: "127.0.0.1" })];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hostile-dicom-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  [app, url] = await serving();
  scan = await headPng(160, 160, { x: 80, y: 70, radius: 16 });
});

afterAll(async () => {
  await app.close();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

const predict = (bytes: Buffer, at = url) =>
  fetch(`${at}/v1/predictions`, { method: "POST", body: new Uint8Array(bytes) });
const store = (bytes: Buffer, at = url) =>
  fetch(`${at}/dicomweb/studies`, {
    method: "POST",
    headers: { "content-type": "application/dicom" },
    body: new Uint8Array(bytes),
  });

test.each(FILES)("%s", async (_what, bytes, status, reason) => {
  const [predicted, stored, beside] = await Promise.all([predict(bytes), store(bytes), predict(scan)]);
  expect(beside.status).toBe(200);
  const answer = (await predicted.json()) as { code?: string; detail?: string };
  expect([predicted.status, answer.code]).toEqual([status, status === 200 ? undefined : expect.any(String)]);
  if (status !== 200) expect(answer.detail).toMatch(/^[A-Z].*\.$/);
  const told = (await stored.json()) as Record<string, { Value: [Record<string, { Value: [number] }>] }>;
  expect(stored.status).toBe(reason === undefined ? 200 : 409);
  // The inflated one cannot be read so far that it had a name.
  expect((told["00081198"] ?? told["0008119A"])?.Value[0]["00081197"]?.Value[0]).toBe(reason);
});

/** A thread that stands still with a file that says so, and else finds a page of 64 x 64. */
const STANDS_STILL = `
  const { parentPort } = require("node:worker_threads");
  parentPort.on("message", ({ bytes }) => {
    if (Buffer.from(bytes).includes("stand still")) for (;;);
    if (Buffer.from(bytes).includes("break")) throw new Error("broken");
    parentPort.postMessage({ told: { format: "dicom", pages: 1, pixels: 4096 } });
  });
`;
const HOSTILE = between(writeElements([[0x6001_1000, "LO", "stand still"]]));
const BREAKING = between(writeElements([[0x6001_1000, "LO", "break!"]]));

async function standingStill(): Promise<string> {
  const worker = join(folder, "stands-still.cjs");
  await writeFile(worker, STANDS_STILL);
  return worker;
}

test("files that are read for ever, through both doors, hold up no plain prediction", async () => {
  const readers = new FileReaders({ threads: 2, seconds: 600, worker: await standingStill() });
  const [server, at] = await serving(readers);
  const clients = await Promise.all([RawClient.open(at), RawClient.open(at), RawClient.open(at)]);
  const types = { "content-type": "application/dicom" };
  for (const [index, client] of clients.entries())
    void client.send(
      head(HOSTILE.length, types).replace("/v1/predictions", index === 1 ? "/dicomweb/studies" : "/v1/predictions"),
      HOSTILE,
    );
  try {
    for (let i = 0; i < 3; i++) expect((await predict(scan, at)).status).toBe(200);
    // They are being read all the while, or wait for it: nothing of them has come as far as the queue, which needs their outline.
    expect(await (await fetch(`${at}/metrics`)).text()).toMatch(/^serve_requests_in_progress 0$/m);
    const answered = Promise.race(clients.map((client) => client.answer()));
    expect(await Promise.race([answered, setImmediate("none")])).toBe("none");
  } finally {
    for (const client of clients) client.hangUp();
    await readers.close();
    await server.close();
  }
});

test("a file that takes too long, and one that breaks its reader, are refused; the next gets another thread", async () => {
  const readers = new FileReaders({ threads: 1, seconds: 3, worker: await standingStill() });
  const stays = new AbortController().signal;
  const told = (bytes: Buffer) => readers.outline(bytes, {}, stays);
  const [still, next, broken, last] = await Promise.allSettled([
    ...[told(HOSTILE), told(between(Buffer.alloc(0)))],
    ...[told(BREAKING), told(between(Buffer.alloc(0)))],
  ]);
  for (const refused of [still, broken]) {
    expect(refused).toMatchObject({ status: "rejected", reason: expect.any(UnreadableFile) });
    expect(refused).toMatchObject({ reason: { code: "damaged", message: expect.stringMatching(/within 3 s.*\.$/) } });
  }
  for (const read of [next, last]) expect(read).toMatchObject({ status: "fulfilled", value: { pages: 1 } });
  await readers.close();
});

test("who leaves before it is his file's turn takes no thread", async () => {
  const readers = new FileReaders({ threads: 1, seconds: 600, worker: await standingStill() });
  const first = new AbortController();
  const held = readers.outline(HOSTILE, {}, first.signal);
  const second = new AbortController();
  const waiting = readers.outline(between(Buffer.alloc(0)), {}, second.signal);
  second.abort(new Error("left"));
  await expect(waiting).rejects.toThrow("left");
  first.abort(new Error("left too"));
  await expect(held).rejects.toThrow("left too");
  await readers.close();
});

test("a file of DICOM is answered through the threads as it was before", async () => {
  const file = between(Buffer.alloc(0));
  expect(file.includes(EXPLICIT)).toBe(true);
  const answered = (await (await predict(file)).json()) as { reports: readonly { format: string }[] };
  // Of a study: its UIDs were read.
  expect(answered.reports.map(({ format }) => format)).toEqual(["fhir", "hl7", "sr", "sc"]);
});
