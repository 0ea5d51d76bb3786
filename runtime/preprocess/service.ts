import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  type CuratedPlace,
  curatedPixels,
  pixelsAnswer,
  planesByKey,
  type Rejection,
  rejectRows,
  ShardFiles,
} from "../dataset";
import { RECIPE } from "../imaging";
import { type Answer, type Frame, frame } from "../platform/framed";
import { type ObjectStore, openStore } from "../platform/stores";
import { parseListing } from "./listing";
import {
  finishPlan,
  type Plan,
  type PlanContext,
  type PlannedShard,
  planFromTable,
  planRows,
  type ShardOutcome,
  writePlannedShard,
} from "./plan";

/** Images of a shard that are under way at a time: reading one object overlaps with decoding another. */
const AHEAD = 8;

/**
 * What a Spark driver and its tasks ask of this code, one frame a request. A plan names the work, `make` does all of a
 * shard. Where a process died of that, `pixels` does it for one image and `write` stores the result of many, so that the
 * image it dies of can be found. `finish` ends the run. Nothing is kept between requests that a process started anew would
 * miss.
 *
 * | request (type) | with | answer |
 * | --- | --- | --- |
 * | hello | | recipe |
 * | plan | listing: URI, optional | a frame a shard (name, cost, images; payload: the shard), then the rest of the plan |
 * | make | payload: shard | a frame for every few images, which says that the process lives, then the outcome |
 * | pixels | object, sha256 | payload: 128 x 128 bytes; or rejection |
 * | write | shard, made: ids, rejections by id; payload: the pixels in the order of `made` | outcome |
 * | finish | payload: plan, outcomes | items, skipped, rejected, notes |
 */
export class PreprocessService {
  private files: Promise<ShardFiles<ObjectStore>> | undefined;

  constructor(private readonly context: PlanContext) {}

  async handle({ header, payload }: Frame): Promise<Answer> {
    switch (header.type) {
      case "hello":
        return frame({ recipe: RECIPE.id });
      case "plan":
        return this.plan(header.listing as string | undefined);
      case "make":
        return this.make(payload);
      case "pixels":
        return pixelsAnswer(await this.page(header as unknown as CuratedPlace));
      case "write":
        return this.write(header as unknown as WriteRequest, payload);
      case "finish":
        return this.finish(payload);
      default:
        throw new Error(`There is no request of the type ${JSON.stringify(header.type)}.`);
    }
  }

  async close(): Promise<void> {
    await (await this.files?.catch(() => undefined))?.close();
  }

  private async *plan(listing: string | undefined): AsyncGenerator<Frame> {
    const { shards, ...rest } = await (listing === undefined ? planFromTable(this.context) : this.planListed(listing));
    for (const shard of shards) {
      const { name, cost, fresh } = shard;
      yield frame({ name, cost, images: fresh.length, more: true }, Buffer.from(JSON.stringify(shard)));
    }
    yield frame({}, Buffer.from(JSON.stringify(rest)));
  }

  private async planListed(uri: string): Promise<Plan> {
    const { rows, notes } = parseListing(await readText(uri), uri);
    return planRows(this.context, rows, notes);
  }

  private async *make(payload: Uint8Array): AsyncGenerator<Frame> {
    const shard = JSON.parse(Buffer.from(payload).toString("utf8")) as PlannedShard;
    const pixels = new Map<string, Uint8Array>();
    const rejections = new Map<string, Rejection>();
    const waiting: Promise<Uint8Array | Rejection>[] = [];
    for (let next = 0, done = 0; done < shard.fresh.length; done++) {
      for (; next < shard.fresh.length && waiting.length < AHEAD; next++) {
        const made = this.page(shard.fresh[next] as CuratedPlace);
        // Looked at in its turn; a failure before that must not count as unhandled.
        made.catch(() => {});
        waiting.push(made);
      }
      const made = (await waiting.shift()) as Uint8Array | Rejection;
      const { id } = shard.fresh[done] as { id: string };
      if ("reason" in made) rejections.set(id, made);
      else pixels.set(id, made);
      if (done % AHEAD === 0) yield frame({ more: true });
    }
    yield frame({ outcome: await this.store(shard, pixels, rejections) });
  }

  private async write({ shard, made, rejections }: WriteRequest, payload: Uint8Array): Promise<Frame> {
    const outcome = await this.store(shard, planesByKey(made, payload), new Map(Object.entries(rejections)));
    return frame({ outcome });
  }

  private page(page: CuratedPlace): Promise<Uint8Array | Rejection> {
    return curatedPixels(this.context.workspace.buckets.curated, page);
  }

  private async store(
    shard: PlannedShard,
    pixels: ReadonlyMap<string, Uint8Array>,
    rejections: ReadonlyMap<string, Rejection>,
  ): Promise<ShardOutcome> {
    const { curated, processed } = this.context.workspace.buckets;
    this.files ??= ShardFiles.open(processed);
    const exists = await writePlannedShard(await this.files, curated, shard, pixels);
    return { name: shard.name, decoded: pixels.size, exists, rejects: rejectRows(shard.rows, rejections) };
  }

  private async finish(payload: Uint8Array): Promise<Frame> {
    const { plan, outcomes } = JSON.parse(Buffer.from(payload).toString("utf8")) as {
      plan: Omit<Plan, "shards">;
      outcomes: ShardOutcome[];
    };
    const { processed } = this.context.workspace.buckets;
    return frame(await finishPlan(processed, plan, outcomes, ({ id }) => `The image ${id}`));
  }
}

interface WriteRequest {
  readonly shard: PlannedShard;
  readonly made: readonly string[];
  readonly rejections: Readonly<Record<string, Rejection>>;
}

/** A text by its URI: `gs://bucket/name`, `file:///path` or a path on this machine. */
async function readText(uri: string): Promise<string> {
  const google = /^(gs:\/\/[^/]+)\/(.+)$/.exec(uri);
  if (google) return (await (await openStore(google[1] as string)).read(google[2] as string)).toString("utf8");
  return readFile(uri.startsWith("file:") ? fileURLToPath(uri) : uri, "utf8");
}
