import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currentAssignments, PlanDatabase, splitOfNewGroup, storeAssignments } from "../../../runtime/dataset";
import { createLogger } from "../../../runtime/platform/logging";
import { mixSeed, uniform } from "../../../runtime/platform/random";
import { DirectoryStore } from "../../../runtime/platform/stores";
import {
  type ImageRow,
  ObjectStoreWarehouse,
  PLANNED_IMAGES,
  type Warehouse,
} from "../../../runtime/platform/warehouse";
import { searchPictures } from "../../../runtime/preprocess/plan";
import { imageRow } from "../../support/image-row";

let scratch: string;
let made = 0;
const opened: ObjectStoreWarehouse[] = [];
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "assignments-"));
});
afterAll(async () => {
  for (const warehouse of opened) await warehouse.close();
  rmSync(scratch, { recursive: true, force: true });
});

const log = createLogger("test", { destination: { write() {} } });
const { signal } = new AbortController();

function warehouseOf(): ObjectStoreWarehouse {
  const warehouse = new ObjectStoreWarehouse(new DirectoryStore(join(scratch, `${made++}`, "warehouse")));
  opened.push(warehouse);
  return warehouse;
}

/** What preprocess does before it makes pixels; in batches of one row, the last of which may not come about. */
async function group(warehouse: Warehouse, batches = Number.POSITIVE_INFINITY): Promise<void> {
  const plan = await PlanDatabase.open((file) => warehouse.extract(PLANNED_IMAGES, {}, file));
  await plan.group([searchPictures(await plan.pictures())]);
  let left = batches;
  const cut: Pick<Warehouse, "append"> = {
    append: async (...told) => {
      if (left-- <= 0) throw new Error("killed");
      return warehouse.append(...told);
    },
  };
  await storeAssignments({ warehouse: cut as Warehouse, signal, log }, plan, 1).finally(() => plan.close());
}

async function groupsOf(warehouse: Warehouse): Promise<Record<string, string>> {
  const found = [...(await currentAssignments(warehouse)).values()];
  return Object.fromEntries(found.map(({ id, group: name, split }) => [id, `${name} ${split}`]));
}

const random = uniform(mixSeed(12, 5));
const hash = () => Array.from({ length: 64 }, () => Math.floor(16 * random()).toString(16)).join("");
/** So many bits of a hash inverted, from a place on. */
function bent(phash: string, from: number, count: number): string {
  const bits = [...phash].flatMap((digit) => [...Number.parseInt(digit, 16).toString(2).padStart(4, "0")]);
  for (let bit = from; bit < from + count; bit++) bits[bit] = bits[bit] === "0" ? "1" : "0";
  return Array.from({ length: 64 }, (_, i) =>
    Number.parseInt(bits.slice(4 * i, 4 * i + 4).join(""), 2).toString(16),
  ).join("");
}

const [a, b] = [hash(), hash()];
/** Two pictures that are no near-duplicates, and one between them that is one of both. */
const between = bent(a, 0, 30);
const far = bent(a, 0, 60);
const image = (id: string, phash: string, more: Partial<ImageRow> = {}) => imageRow(id, { phash, ...more });
const FIRST = [image("k1", a), image("k2", far, { given_split: "test" }), image("k3", b), image("k4", bent(b, 3, 9))];
const THEN = [
  image("m1", between),
  image("m2", bent(between, 200, 4)),
  image("a0", bent(b, 100, 5)),
  image("z9", hash()),
];

describe("groups and splits", () => {
  test("of a run that is killed after any of its rows end as those of one that was not", async () => {
    const whole = warehouseOf();
    await whole.append("images", "first", FIRST);
    await group(whole);
    const before = await groupsOf(whole);
    expect(new Set(Object.values(before)).size).toBe(3);
    await whole.append("images", "then", THEN);
    await group(whole);
    const after = await groupsOf(whole);
    expect(after).toMatchObject({ k1: "k1 test", k2: "k1 test", m1: "k1 test", m2: "k1 test" });
    expect(after.a0).toBe(before.k3);

    for (let cut = 0; ; cut++) {
      const killed = warehouseOf();
      await killed.append("images", "first", FIRST);
      await group(killed);
      await killed.append("images", "then", THEN);
      const outcome = await group(killed, cut).then(
        () => "done",
        (error: Error) => error.message,
      );
      await group(killed, 1).catch(() => {});
      await group(killed);
      expect({ cut, groups: await groupsOf(killed) }).toEqual({ cut, groups: after });
      const rows = await killed.rows("assignments");
      await group(killed);
      expect(await killed.rows("assignments")).toEqual(rows);
      if (outcome === "done") break;
      expect(cut).toBeLessThan(10);
    }
  });

  test("that two runs decided at once, one of which knew less, are put right by the next", async () => {
    // One knows a scan that gives the other away; both have read before either writes.
    const [less, more] = [warehouseOf(), warehouseOf()];
    const id = Array.from({ length: 99 }, (_, i) => `n${i}`).find((name) => splitOfNewGroup(name) === "test") as string;
    const late = image("a", between, { given_split: "train" });
    for (const warehouse of [less, more]) await warehouse.append("images", "early", [image(id, a)]);
    await more.append("images", "late", [late]);
    await group(less);
    await group(more);
    expect([await groupsOf(less), await groupsOf(more)]).toEqual([
      { [id]: `${id} test` },
      { a: "a train", [id]: "a train" },
    ]);
    for (const { batch, row } of await more.rows("assignments")) await less.append("assignments", batch, [row]);
    await less.append("images", "late", [late]);
    await group(less);
    // The manifest gives one to training: that they are of one group is what makes training refuse it.
    expect(await groupsOf(less)).toEqual({ a: "a train", [id]: "a test" });
    expect([...(await currentAssignments(less)).values()].filter(({ disputed }) => disputed)).toEqual([]);
    const rows = await less.rows("assignments");
    await group(less);
    expect(await less.rows("assignments")).toEqual(rows);
  });

  test("are the same rows for the same images, whoever writes them, so that writing them twice is no failure", async () => {
    const [one, other] = [warehouseOf(), warehouseOf()];
    for (const warehouse of [one, other]) await warehouse.append("images", "first", FIRST);
    await group(one);
    await group(other);
    const told = async (warehouse: Warehouse) =>
      (await warehouse.rows("assignments")).map(({ batch, row }) => ({ batch, ...row, assigned_at: null }));
    expect(await told(one)).toEqual(await told(other));
    for (const { batch, row } of await other.rows("assignments")) await one.append("assignments", batch, [row]);
    expect(await one.batches("assignments")).toHaveLength(4);
  });
});
