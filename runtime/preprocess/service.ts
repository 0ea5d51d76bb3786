import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  type CuratedPage,
  type CuratedPlace,
  curatedPixels,
  pixelsAnswer,
  planesByKey,
  type Rejection,
  rejectRows,
  ShardFiles,
  unhashedImages,
} from "../dataset";
import { hashOfRecipe, RECIPE } from "../imaging";
import { type Answer, type Frame, frame } from "../platform/framed";
import { type ObjectStore, openStore } from "../platform/stores";
import { checkListing, groupListing, unhashedInListing } from "./listing";
import {
  finishPlan,
  type Plan,
  type PlanContext,
  type PlannedShard,
  planFromTable,
  planRows,
  readTables,
  type ShardOutcome,
  writePlannedShard,
} from "./plan";

/** Images of a shard that are under way at a time: reading one object overlaps with decoding another. */
const AHEAD = 8;
/** Images that are hashed by one task. */
const HASHED = 512;

/**
 * What a Spark driver and its tasks ask of this code, one frame a request. A plan names the work, `make` does all of a
 * shard. Where a process died of that, `pixels` does it for one image and `write` stores the result of many, so that the
 * image it dies of can be found. `finish` ends the run. Nothing is kept between requests that a process started anew would
 * miss.
 *
 * | request (type) | with | answer |
 * | --- | --- | --- |
 * | hello | | recipe |
 * | plan | listing: URI, optional; payload: hashes by id, or nothing | a frame a shard (name, cost, images; payload: the shard), then the rest of the plan. Without hashes, where some images have to be hashed first: a frame for some of them (name, cost, images; payload: the images), then `{unhashed}`, their number |
 * | hash | made: ids; payload: the pixels in the order of `made` | hashes: by id |
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
        return this.plan(header.listing as string | undefined, hashesOf(payload));
      case "hash": {
        const made = planesByKey(header.made as string[], payload);
        return frame({ hashes: Object.fromEntries([...made].map(([id, grey]) => [id, hashOfRecipe(grey)])) });
      }
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

  private async *plan(listing: string | undefined, hashes: ReadonlyMap<string, string> | undefined) {
    const { unhashed, plan } = await (listing === undefined ? this.planTable() : this.planListed(listing));
    if (!hashes && unhashed.length > 0) {
      yield* unhashedFrames(unhashed);
      return;
    }
    const { shards, ...rest } = await plan(hashes ?? new Map());
    for (const shard of shards) {
      const { name, cost, fresh } = shard;
      yield frame({ name, cost, images: fresh.length, more: true }, Buffer.from(JSON.stringify(shard)));
    }
    yield frame({}, Buffer.from(JSON.stringify(rest)));
  }

  private async planTable(): Promise<Planning> {
    const known = await readTables(this.context);
    return {
      unhashed: unhashedImages(known.images, known.assignments),
      plan: (hashes) => planFromTable(this.context, known, hashes),
    };
  }

  private async planListed(uri: string): Promise<Planning> {
    const listed = checkListing(await readText(uri), uri);
    return {
      unhashed: unhashedInListing(listed),
      plan: async (hashes) => {
        const { rows, notes } = groupListing(listed, hashes);
        return planRows(this.context, rows, notes);
      },
    };
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

/** A plan that may have to wait for hashes. */
interface Planning {
  readonly unhashed: readonly (CuratedPage & { readonly cost: number })[];
  readonly plan: (hashes: ReadonlyMap<string, string>) => Promise<Plan>;
}

function* unhashedFrames(unhashed: Planning["unhashed"]): Generator<Frame> {
  for (let start = 0; start < unhashed.length; start += HASHED) {
    const images = unhashed.slice(start, start + HASHED);
    const cost = images.reduce((sum, image) => sum + image.cost, 0);
    const header = { name: `unhashed-${start}`, cost, images: images.length, more: true };
    yield frame(header, Buffer.from(JSON.stringify(images)));
  }
  yield frame({}, Buffer.from(JSON.stringify({ unhashed: unhashed.length })));
}

function hashesOf(payload: Uint8Array): ReadonlyMap<string, string> | undefined {
  if (payload.length === 0) return undefined;
  return new Map(Object.entries(JSON.parse(Buffer.from(payload).toString("utf8")) as Record<string, string>));
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
