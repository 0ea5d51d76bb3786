import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lease, LeaseLostError } from "../../../runtime/platform/lease";
import { type ObjectStore, openStore } from "../../../runtime/platform/stores";
import { until } from "../../support/served-model";

let root: string;
let store: ObjectStore;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "lease-"));
  store = await openStore(join(root, "reports"));
});
afterAll(() => rmSync(root, { recursive: true }));

const taken = async (name: string, lastsMs: number, owner?: string): Promise<Lease> => {
  const lease = await Lease.take(store, name, { lastsMs, ...(owner ? { owner } : {}) });
  if (!(lease instanceof Lease)) throw new Error(`It is held until ${lease.until}.`);
  return lease;
};

describe("a lease", () => {
  test("is one process's until it is given back, and each that follows has a higher token", async () => {
    const first = await taken("back.json", 60_000);
    const second = await Lease.take(store, "back.json", { lastsMs: 60_000 });
    expect(second).toEqual({ until: expect.stringMatching(/^\d{4}-.*Z$/) });
    expect(await Lease.heldUntil(store, "back.json")).toBeDefined();
    await first.renew();
    await first.giveBack();
    expect(await Lease.heldUntil(store, "back.json")).toBeUndefined();
    const third = await taken("back.json", 60_000);
    expect(third.token).toBeGreaterThan(first.token);
    // One that was lost cannot give back what another has.
    await first.giveBack();
    await third.renew();
  });

  test("that has run out is taken over, and who had it is stopped in its work, whatever its clock says", async () => {
    const old = await taken("over.json", 1);
    await until(
      async () => Lease.heldUntil(store, "over.json"),
      (held) => held === undefined,
    );
    const next = await taken("over.json", 60_000);
    expect(next.token).toBeGreaterThan(old.token);
    // Its clock goes an hour late: it believes that it has the lease, and finds that it has not.
    const now = jest.spyOn(Date, "now").mockReturnValue(Date.now() - 3_600_000);
    try {
      await expect(old.renew()).rejects.toThrow(LeaseLostError);
      const stopped = old.during(
        (signal) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new Error("The work says so in its own words.")));
          }),
      );
      await expect(stopped).rejects.toThrow(LeaseLostError);
    } finally {
      now.mockRestore();
    }
    await next.renew();
  });

  test("is renewed while its holder works, by renewals that do not stand in each other's way", async () => {
    const lease = await taken("kept.json", 200);
    const seen = (await store.stat("kept.json"))?.generation as number;
    await lease.during(async () => {
      await Promise.all([lease.renew(), lease.renew(), lease.renew()]);
      await until(
        async () => (await store.stat("kept.json"))?.generation as number,
        (now) => now > seen + 4,
      );
    });
    expect(await Lease.take(store, "kept.json", { lastsMs: 200 })).toHaveProperty("until");
    await lease.giveBack();
  });

  test("goes on in another process of the same owner, and an owner who asks again leaves behind what it had", async () => {
    const first = await taken("owner.json", 60_000, "execution-1");
    await (await Lease.continued(store, "owner.json", "execution-1", first.token)).renew();
    const again = await Lease.continued(store, "owner.json", "execution-1", first.token);
    expect(again.token).toBe(first.token);
    await expect(Lease.continued(store, "owner.json", "execution-2", first.token)).rejects.toThrow(LeaseLostError);
    expect(await Lease.take(store, "owner.json", { lastsMs: 1, owner: "execution-2" })).toHaveProperty("until");
    const second = await taken("owner.json", 60_000, "execution-1");
    expect(second.token).toBeGreaterThan(first.token);
    await expect(Lease.continued(store, "owner.json", "execution-1", first.token)).rejects.toThrow(LeaseLostError);
  });

  test("that is damaged, or of a process that is gone, holds nobody up", async () => {
    await store.write("damaged.json", "{");
    expect((await taken("damaged.json", 60_000)).token).toBeGreaterThan(1);
    const holder = { owner: "x", host: require("node:os").hostname(), pid: 2 ** 22 + 1, start: "1", lastsMs: 60_000 };
    await store.write("dead.json", JSON.stringify(holder));
    await taken("dead.json", 60_000);
  });
});
