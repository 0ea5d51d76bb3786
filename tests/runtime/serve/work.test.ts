import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { DAY_MS } from "../../../runtime/platform/day";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { FeedbackBook } from "../../../runtime/serve/kept/feedback";
import { TimeIndex } from "../../../runtime/serve/kept/time-index";
import { WorkFinder } from "../../../runtime/serve/kept/work";
import type { Agreement } from "../../../runtime/similar";

const SECOND = 1000;
const HOUR = 3600 * SECOND;
/** Answers that one list compares. */
const AT_A_TIME = 24;
const AGAINST: Agreement = { neighbours: 10, cancer: 0 };

let folder: string;
let workspace: Workspace;
let history: TimeIndex;
let asked: string[];
let logged: Record<string, unknown>[];
let neighboursOf: (id: string) => Promise<Agreement | undefined>;
let finder: WorkFinder;
const start = Date.now() - DAY_MS;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "work-"));
  workspace = await openWorkspace(folder);
  history = new TimeIndex(workspace.buckets.reports, "history");
  [asked, logged] = [[], []];
  const log = pino({ level: "warn" }, { write: (line) => logged.push(JSON.parse(line)) });
  const { warehouse, buckets } = workspace;
  finder = new WorkFinder({
    ...{ history, feedback: new FeedbackBook(buckets.reports, warehouse), warehouse, log },
    neighboursOf: (id) => {
      asked.push(id);
      return neighboursOf(id);
    },
  });
});
afterEach(async () => {
  await workspace.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Answers one second apart, named by their number: the highest is the newest. */
async function answered(count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const said = { id: `id-${n}`, sha256: `picture-${n}`, model: "one", label: "Cancer", decision: "Cancer", who: "a" };
    const numbers = { probability: "0.9", threshold: "0.5", page: "0", pages: "1" };
    const kept = new Date(Date.now() + DAY_MS).toISOString();
    await history.add(new Date(start + n * SECOND), `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`, {
      ...said,
      ...numbers,
      kept,
    });
  }
}

async function list(after: number) {
  asked = [];
  const { work } = await finder.find(new Date(start + after));
  return new Map(work.map(({ item, neighbours }) => [item.id, neighbours]));
}

test("an answer that could not be compared is compared again, and what is known of it stays until then", async () => {
  await answered(2);
  neighboursOf = () => Promise.reject(new Error("The scans of the data set cannot be read just now."));
  expect((await list(0)).get("id-1")).toBeUndefined();
  expect(asked).toHaveLength(2);
  expect(logged).toMatchObject([{ answers: 2, err: { message: expect.stringContaining("just now") } }]);
  neighboursOf = async () => AGAINST;
  // Not at once: whoever reloads the list does not wait for what has just failed.
  await list(SECOND);
  expect(asked).toEqual([]);
  expect([...(await list(61 * SECOND)).values()]).toEqual([AGAINST, AGAINST]);
  neighboursOf = () => Promise.reject(new Error("again"));
  expect((await list(2 * HOUR)).get("id-0")).toEqual(AGAINST);
  expect(asked).toHaveLength(2);
});

test("what was compared is compared again after an hour: none that was known then is not none for ever", async () => {
  await answered(1);
  neighboursOf = async () => ({ neighbours: 0, cancer: 0 });
  expect((await list(0)).get("id-0")).toEqual({ neighbours: 0, cancer: 0 });
  neighboursOf = async () => AGAINST;
  expect((await list(0.9 * HOUR)).get("id-0")).toEqual({ neighbours: 0, cancer: 0 });
  expect(asked).toEqual([]);
  expect((await list(1.1 * HOUR)).get("id-0")).toEqual(AGAINST);
});

test("answers that fail again and again keep no other from being compared", async () => {
  await answered(2 * AT_A_TIME);
  const isNew = (id: string) => Number(id.slice(3)) >= AT_A_TIME;
  neighboursOf = (id) => (isNew(id) ? Promise.reject(new Error("damaged")) : Promise.resolve(AGAINST));
  await list(0);
  expect(asked).toHaveLength(AT_A_TIME);
  expect(asked.every(isNew)).toBe(true);
  const second = await list(10 * HOUR);
  expect(asked.some(isNew)).toBe(false);
  expect([...second.values()].filter(Boolean)).toHaveLength(AT_A_TIME);
});
