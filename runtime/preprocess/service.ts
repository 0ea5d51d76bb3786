import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  type CuratedPlace,
  curatedPixels,
  nearPairs,
  PlanDatabase,
  pixelsAnswer,
  planesByKey,
  type Rejection,
  rejectRows,
  SEARCHES,
  ShardFiles,
  writePlanFile,
} from "../dataset";
import { hashOfRecipe, RECIPE } from "../imaging";
import { type Answer, type Frame, frame } from "../platform/framed";
import { type ObjectStore, openStore } from "../platform/stores";
import { PLANNED_IMAGES } from "../platform/warehouse";
import { checkListing, plannedOfListing } from "./listing";
import {
  finishPlan,
  lookUpShard,
  makePlan,
  type PlanContext,
  type PlannedShard,
  type PlanRest,
  type ShardOutcome,
  type ShardWork,
  writePlannedShard,
} from "./plan";
import { PlanningFolder } from "./planning-folder";

/** Images of a shard that are under way at a time: reading one object overlaps with decoding another. */
const AHEAD = 8;
/** Images that are hashed by one task. */
const HASHED = 512;
/** A search fills a partition: it is as much work as many images. */
const SEARCH_COST = 2 ** 30;

/**
 * What a Spark driver and its tasks ask of this code, one frame a request. `run` is a name that a driver makes for itself:
 * what its processes leave each other lies in a {@link PlanningFolder}. Planning goes from `read` to `index` to `group`, as
 * far as it comes without the work of tasks; its last frame says what is needed (`next`) to go on. `make` does all of a
 * shard. Where a process died of that, `missing` and `pixels` do it for one image and `write` stores the result of many, so
 * that the image it dies of can be found. `finish` ends the run. Nothing is kept between requests that a process started
 * anew would miss.
 *
 * | request (type) | with | answer |
 * | --- | --- | --- |
 * | hello | | recipe |
 * | read | run; listing: URI, optional | where some images have to be hashed first, a frame for some of them (name, cost, images; payload: the images), then `{next: "hash"}`; otherwise as `index` |
 * | hash | run, name, made: ids; payload: the pixels in the order of `made` | nothing: the hashes are stored |
 * | index | run, listing | where some hashes are new, a frame a search (name, cost, images), then `{next: "search"}`; otherwise as `group` |
 * | search | run, search | frames, which say that the process lives: the pairs are stored |
 * | group | run, listing | a frame a shard (name, cost, images; payload: the shard), then the rest of the plan |
 * | make | payload: shard | a frame for every few images, which says that the process lives, then the outcome |
 * | missing | payload: shard | payload: the images whose pixels have to be made |
 * | pixels | object, sha256 | payload: 128 x 128 bytes; or rejection |
 * | write | shard, made: ids, rejections by id; payload: the pixels in the order of `made` | outcome |
 * | finish | run; payload: plan, outcomes | items, skipped, rejected, notes |
 * | clean | run | nothing: what the run's processes left each other is deleted |
 */
export class PreprocessService {
  private files: Promise<ShardFiles<ObjectStore>> | undefined;

  constructor(private readonly context: PlanContext) {}

  async handle({ header, payload }: Frame): Promise<Answer> {
    const { listing } = header as { readonly listing?: string };
    switch (header.type) {
      case "hello":
        return frame({ recipe: RECIPE.id });
      case "read":
        return this.planned(header, (database) => this.read(this.folder(header), database, listing));
      case "hash": {
        const made = planesByKey(header.made as string[], payload);
        const hashes = new Map([...made].map(([id, grey]) => [id, hashOfRecipe(grey)]));
        await this.folder(header).keepHashes(header.name as string, hashes);
        return frame({});
      }
      case "index":
        return this.planned(header, (database) => this.index(this.folder(header), database, listing));
      case "search":
        return this.search(this.folder(header), header.search as number);
      case "group":
        return this.planned(header, (database) => this.groupFound(this.folder(header), database, listing));
      case "make":
        return this.make(shardOf(payload));
      case "missing": {
        const { fresh } = await this.lookUp(shardOf(payload));
        return frame({}, Buffer.from(JSON.stringify(fresh.map(({ id, object, sha256 }) => ({ id, object, sha256 })))));
      }
      case "pixels":
        return pixelsAnswer(await this.page(header as unknown as CuratedPlace));
      case "write":
        return this.write(header as unknown as WriteRequest, payload);
      case "finish":
        return this.finish(this.folder(header), payload);
      case "clean":
        await this.folder(header).clean();
        return frame({});
      default:
        throw new Error(`There is no request of the type ${JSON.stringify(header.type)}.`);
    }
  }

  async close(): Promise<void> {
    await (await this.files?.catch(() => undefined))?.close();
  }

  private folder({ run }: Frame["header"]): PlanningFolder {
    return new PlanningFolder(this.context.workspace.buckets.processed, run as string);
  }

  /** Opens the images of a run for a part of planning; who asks first reads them from where they stand. */
  private async *planned(
    header: Frame["header"],
    work: (database: PlanDatabase) => AsyncGenerator<Frame>,
  ): AsyncGenerator<Frame> {
    const folder = this.folder(header);
    const listing = header.listing as string | undefined;
    const database = await PlanDatabase.open(async (file) => {
      if (await folder.images(file)) return;
      await this.gather(file, listing);
      await folder.keepImages(file);
    }, listing !== undefined);
    try {
      yield* work(database);
    } finally {
      await database.close();
    }
  }

  private async gather(file: string, listing: string | undefined): Promise<void> {
    if (listing === undefined) await this.context.workspace.warehouse.extract(PLANNED_IMAGES, {}, file);
    else await writePlanFile(file, plannedOfListing(checkListing(await readText(listing), listing)));
  }

  private async *read(folder: PlanningFolder, database: PlanDatabase, listing?: string): AsyncGenerator<Frame> {
    let pieces = 0;
    for await (const images of database.unhashed(HASHED)) {
      const cost = images.reduce((sum, image) => sum + image.cost, 0);
      const header = { name: `unhashed-${pieces++}`, cost, images: images.length, more: true };
      yield frame(header, Buffer.from(JSON.stringify(images)));
    }
    if (pieces > 0) yield frame({}, Buffer.from(JSON.stringify({ next: "hash" })));
    else yield* this.index(folder, database, listing);
  }

  private async *index(folder: PlanningFolder, database: PlanDatabase, listing?: string): AsyncGenerator<Frame> {
    await this.addHashes(folder, database);
    const pictures = await database.pictures();
    const images = pictures.fresh.reduce((sum, isFresh) => sum + isFresh, 0);
    if (images === 0) {
      yield* this.group(database, [], listing);
      return;
    }
    await folder.keepPictures(pictures);
    for (let search = 0; search < SEARCHES; search++)
      // Each looks up all of them: they are counted once.
      yield frame({ name: `${search}`, cost: SEARCH_COST, images: search === 0 ? images : 0, more: true });
    yield frame({}, Buffer.from(JSON.stringify({ next: "search" })));
  }

  private async addHashes(folder: PlanningFolder, database: PlanDatabase): Promise<void> {
    for await (const hashes of folder.hashes()) await database.addHashes(hashes);
  }

  private async *search(folder: PlanningFolder, search: number): AsyncGenerator<Frame> {
    const { firsts, ...pictures } = await folder.pictures();
    const steps = nearPairs(pictures, [search]);
    for (;;) {
      yield frame({ more: true });
      const { value, done } = steps.next();
      if (!done) continue;
      await folder.keepPairs(
        search,
        value.map((picture) => firsts[picture] as number),
      );
      yield frame({});
      return;
    }
  }

  private async *groupFound(folder: PlanningFolder, database: PlanDatabase, listing?: string): AsyncGenerator<Frame> {
    await this.addHashes(folder, database);
    yield* this.group(database, await folder.pairs(SEARCHES), listing);
  }

  private async *group(database: PlanDatabase, pairs: Uint32Array[], listing?: string): AsyncGenerator<Frame> {
    const { shards, rest } = await makePlan(this.context, database, pairs, listing !== undefined);
    for await (const shard of shards) {
      const cost = shard.rows.reduce((sum, row) => sum + row.cost, 0);
      const header = { name: shard.name, cost, images: shard.rows.length, more: true };
      yield frame(header, Buffer.from(JSON.stringify(shard)));
    }
    yield frame({}, Buffer.from(JSON.stringify(rest)));
  }

  private async *make(shard: PlannedShard): AsyncGenerator<Frame> {
    const work = await this.lookUp(shard);
    const pixels = new Map<string, Uint8Array>();
    const rejections = new Map<string, Rejection>();
    const waiting: Promise<Uint8Array | Rejection>[] = [];
    for (let next = 0, done = 0; done < work.fresh.length; done++) {
      for (; next < work.fresh.length && waiting.length < AHEAD; next++) {
        const made = this.page(work.fresh[next] as CuratedPlace);
        // Looked at in its turn; a failure before that must not count as unhandled.
        made.catch(() => {});
        waiting.push(made);
      }
      const made = (await waiting.shift()) as Uint8Array | Rejection;
      const { id } = work.fresh[done] as { id: string };
      if ("reason" in made) rejections.set(id, made);
      else pixels.set(id, made);
      if (done % AHEAD === 0) yield frame({ more: true });
    }
    yield frame({ outcome: await this.store(work, pixels, rejections) });
  }

  private async write({ shard, made, rejections }: WriteRequest, payload: Uint8Array): Promise<Frame> {
    const work = await this.lookUp(shard);
    const outcome = await this.store(work, planesByKey(made, payload), new Map(Object.entries(rejections)));
    return frame({ outcome });
  }

  private page(page: CuratedPlace): Promise<Uint8Array | Rejection> {
    return curatedPixels(this.context.workspace.buckets.curated, page);
  }

  private async lookUp(shard: PlannedShard): Promise<ShardWork> {
    this.files ??= ShardFiles.open(this.context.workspace.buckets.processed);
    return lookUpShard(await this.files, shard, this.context.log);
  }

  private async store(
    work: ShardWork,
    pixels: ReadonlyMap<string, Uint8Array>,
    rejections: ReadonlyMap<string, Rejection>,
  ): Promise<ShardOutcome> {
    const { curated, processed } = this.context.workspace.buckets;
    this.files ??= ShardFiles.open(processed);
    const exists = await writePlannedShard(await this.files, curated, work, pixels);
    const { name, rows } = work.shard;
    const rejects = rejectRows(rows, rejections);
    return { name, decoded: pixels.size, skipped: work.planes.size, exists, rejects };
  }

  private async finish(folder: PlanningFolder, payload: Uint8Array): Promise<Frame> {
    const { plan, outcomes } = JSON.parse(Buffer.from(payload).toString("utf8")) as {
      plan: PlanRest;
      outcomes: ShardOutcome[];
    };
    const { processed } = this.context.workspace.buckets;
    const counts = await finishPlan(processed, plan, outcomes, ({ id }) => `The image ${id}`);
    await folder.clean();
    return frame(counts);
  }
}

const shardOf = (payload: Uint8Array) => JSON.parse(Buffer.from(payload).toString("utf8")) as PlannedShard;

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
