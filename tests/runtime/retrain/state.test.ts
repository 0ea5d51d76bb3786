import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lease, LeaseLostError } from "../../../runtime/platform/lease";
import { type ObjectStore, openStore } from "../../../runtime/platform/stores";
import { RETRAINING } from "../../../runtime/registry";
import { type Begin, OwnedRun, readRun, runNames, workedOnUntil } from "../../../runtime/retrain/state";

let root: string;
let reports: ObjectStore;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "retrain-state-"));
  reports = await openStore(join(root, "reports"));
});
afterEach(() => rmSync(root, { recursive: true }));

const BEGIN: Begin = { trigger: "person", reason: "A test.", seed: 0, at: "2026-11-27T20:00:00.000Z" };

async function open(): Promise<OwnedRun> {
  const lease = await OwnedRun.lease(reports);
  if (!(lease instanceof Lease)) throw new Error(`It is held until ${lease.until}.`);
  return OwnedRun.open(reports, lease, BEGIN, await OwnedRun.unfinished(reports));
}

/** As when the lease has run out, or its holder is gone. */
async function expire(): Promise<void> {
  await reports.delete(`${RETRAINING}lease.json`);
}

describe("the state of a run", () => {
  test("is created once a step, and whoever goes on finds what is done", async () => {
    const first = await open();
    await first.write("snapshot", { scans: 1 }, 1);
    expect((await first.write("snapshot", { scans: 2 }, 1)).result).toEqual({ scans: 1 });
    expect(await workedOnUntil(reports)).toBeDefined();
    await first.lease.giveBack();
    const second = await open();
    expect([second.run, second.isResumed]).toEqual([first.run, true]);
    expect(second.of("snapshot")?.result).toEqual({ scans: 1 });
    await second.write("record", { outcome: "kept" }, 1);
    await second.lease.giveBack();
    const third = await open();
    expect([third.run === first.run, third.isResumed]).toEqual([false, false]);
    expect(await runNames(reports)).toHaveLength(2);
  });

  test("does not count what one wrote who had lost the lease and did not know it", async () => {
    const old = await open();
    await old.write("snapshot", "by the old one, in time", 1);
    await expire();
    const next = await open();
    await expect(old.write("preprocess", "late", 1)).rejects.toThrow(LeaseLostError);
    // It was past the question whether it has the lease when it stopped for a while.
    jest.spyOn(old.lease, "renew").mockResolvedValue();
    await old.write("preprocess", "late", 1);
    expect((await readRun(reports, old.run)).steps.has("preprocess")).toBe(false);
    await next.write("preprocess", "by the next one", 1);
    await old.write("train", "late", 1);
    await expire();
    const last = await open();
    expect([last.of("snapshot"), last.of("preprocess"), last.of("train")].map((one) => one?.result)).toEqual([
      "by the old one, in time",
      "by the next one",
      undefined,
    ]);
    await last.write("train", "by the last one", 1);
    expect((await readRun(reports, last.run)).steps.get("train")?.result).toBe("by the last one");
  });

  test("is read only of runs, whatever else lies there", async () => {
    await reports.create(`${RETRAINING}reference.ndjson`, "{}");
    await reports.create(`${RETRAINING}20261127-200000-abcdef/snapshot.json`, "{}");
    await reports.create(`${RETRAINING}not-a-run/begin.json`, "{}");
    expect(await runNames(reports)).toEqual([]);
    expect(await OwnedRun.unfinished(reports)).toBeUndefined();
  });
});
