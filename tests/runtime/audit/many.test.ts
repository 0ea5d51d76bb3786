import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, leafBytes, readLeaf } from "../../../runtime/audit/leaf";
import { Log } from "../../../runtime/audit/log";
import { checkpointText, openCheckpoint, signedNote } from "../../../runtime/audit/note";
import { Plans } from "../../../runtime/audit/plan";
import { type InclusionProof, proveInclusion } from "../../../runtime/audit/proof";
import { openSigner } from "../../../runtime/audit/signer";
import type { ObjectStore } from "../../../runtime/platform/stores";
import { openStore } from "../../../runtime/platform/stores";
import type { Row, Warehouse } from "../../../runtime/platform/warehouse";
import { predictionRow } from "../../support/audited-workspace";
import { judge } from "../../support/merkle-judge";

/*
 * AUDIT_LEAVES=1000000 measures what the documentation says; without it a log is short, and what is held is what does not
 * depend on a machine: how much is read and written.
 */
const LEAVES = Number(process.env.AUDIT_LEAVES ?? 10_240);
const CHUNK = 2048;
const START = Date.UTC(2026, 0);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "many-leaves-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The same row each time: its time and its salt follow from its number. */
const rowAt = (index: number): Row<"predictions"> => ({
  ...predictionRow(`r${index}`, new Date(START + index * 1000).toISOString(), (index % 1000) / 1000),
  salt: index.toString(16).padStart(32, "0"),
});

/** Rows without files: a million of them say nothing of the log. */
const warehouse = {
  batches: async () => [],
  batch: async (table: string, name: string) =>
    table === "predictions" && /^r\d+$/.test(name) ? [rowAt(Number(name.slice(1)))] : undefined,
} as unknown as Pick<Warehouse, "batches" | "batch">;

/** Counts what is asked of a store. */
function counted(store: ObjectStore) {
  const count = { read: 0, bytes: 0, create: 0 };
  const own = new Proxy(store, {
    get: (target, name: keyof ObjectStore) => {
      if (name === "read")
        return async (...args: Parameters<ObjectStore["read"]>) => {
          const content = await target.read(...args);
          count.read++;
          count.bytes += content.length;
          return content;
        };
      if (name === "create") count.create++;
      const method = target[name] as unknown;
      return typeof method === "function" ? method.bind(target) : method;
    },
  });
  return { store: own, count };
}

test("leaves are added, and proofs given, by as many reads and writes in a long log as in a short one", async () => {
  const { store, count } = counted(await openStore(join(folder, "audit")));
  const signer = await openSigner(join(folder, "key.pem"));
  const [log, plans] = [new Log(store), new Plans(store, signer.key)];
  const seals: { reads: number; creates: number; ms: number }[] = [];
  for (let from = 0; from < LEAVES; from += CHUNK) {
    const end = Math.min(LEAVES, from + CHUNK);
    const leaves = Array.from({ length: end - from }, (_, i) => {
      const batch = `r${from + i}`;
      return { table: "predictions" as const, digest: digestOf("predictions", rowAt(from + i)), batch, row: 0 };
    });
    Object.assign(count, { read: 0, create: 0 });
    const started = performance.now();
    const last = new Date(START + (end - 1) * 1000).toISOString();
    await plans.create({ from, through: last, last, leaves }, signer);
    const root = await log.add({ from, leaves });
    const text = checkpointText({ origin: signer.key.name, size: end, root, through: last });
    await log.sign(end, signedNote(text, signer.key, await signer.sign(Buffer.from(text))), signer.key);
    seals.push({ reads: count.read, creates: count.create, ms: performance.now() - started });
  }
  // Tiles of 2,048 leaves, of the levels above, and the objects beside them.
  for (const { reads, creates } of seals) {
    expect(reads).toBeLessThanOrEqual(12);
    expect(creates).toBeLessThanOrEqual(16);
  }
  const key = signer.key;
  expect(openCheckpoint((await log.note(LEAVES)) ?? "", key).size).toBe(LEAVES);

  const proofs: InclusionProof[] = [];
  const times: number[] = [];
  for (const part of [0, 0.1, 0.33, 0.5, 0.77, 0.999, 1]) {
    const index = Math.round(part * (LEAVES - 1));
    Object.assign(count, { read: 0, bytes: 0 });
    const started = performance.now();
    const proof = await proveInclusion(warehouse, store, `r${index}`);
    times.push(performance.now() - started);
    expect(proof.leaf.index).toBe(index);
    expect(readLeaf(proof.leaf.data)).toEqual({ table: "predictions", digest: digestOf("predictions", rowAt(index)) });
    expect(leafBytes({ table: "predictions", digest: digestOf("predictions", rowAt(index)) })).toBe(proof.leaf.data);
    expect(count.read).toBeLessThanOrEqual(24);
    proofs.push(proof);
  }
  expect(judge(proofs)).toEqual(proofs.map(() => "ok"));
  if (process.env.AUDIT_LEAVES) {
    const mean = (part: typeof seals) => (part.reduce((sum, { ms }) => sum + ms, 0) / part.length).toFixed(0);
    const tenth = Math.ceil(seals.length / 10);
    const [first, last] = [mean(seals.slice(0, tenth)), mean(seals.slice(-tenth))];
    process.stderr.write(
      `${LEAVES} leaves: ${first} ms for each 2,048 in the first tenth, ${last} in the last; proofs ${times.map((ms) => ms.toFixed(0)).join(", ")} ms\n`,
    );
  }
}, 3_600_000);
