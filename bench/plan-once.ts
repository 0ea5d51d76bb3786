import { PlanDatabase } from "../runtime/dataset";
import { createLogger } from "../runtime/platform/logging";
import { PLANNED_IMAGES } from "../runtime/platform/warehouse";
import { openWorkspace } from "../runtime/platform/workspace";
import { makePlan, searchPictures } from "../runtime/preprocess/plan";
import { say } from "./command-line";

/** What one planning on one machine, in a process of its own, measures: node plan-once.js WORKSPACE prints it as JSON. */
export interface PlanMeasurement {
  readonly images: number;
  readonly shards: number;
  /** By what was done. */
  readonly seconds: Readonly<Record<string, number>>;
}

async function measure(directory: string): Promise<PlanMeasurement> {
  const workspace = await openWorkspace(directory);
  const seconds: Record<string, number> = {};
  let last = performance.now();
  const done = (what: string) => {
    const now = performance.now();
    seconds[what] = (now - last) / 1000;
    last = now;
    say(`${what}: ${seconds[what].toFixed(1)} s`);
  };
  const database = await PlanDatabase.open((file) => workspace.warehouse.extract(PLANNED_IMAGES, {}, file));
  done("read");
  try {
    const pictures = await database.pictures();
    done("index");
    const pairs = searchPictures(pictures);
    done("search");
    const context = { workspace, log: createLogger("bench"), signal: new AbortController().signal };
    const plan = await makePlan(context, database, [pairs]);
    done("group");
    let shards = 0;
    for await (const _ of plan.shards) shards++;
    done("shards");
    return { images: plan.rows, shards, seconds };
  } finally {
    await database.close();
    await workspace.close();
  }
}

if (require.main === module)
  measure(process.argv[2] as string).then((measured) => process.stdout.write(JSON.stringify(measured)));
