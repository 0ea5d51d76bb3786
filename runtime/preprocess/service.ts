import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { RECIPE } from "../imaging";
import { type Answer, type Frame, frame } from "../platform/framed";
import type { Logger } from "../platform/logging";
import { openStore } from "../platform/open-store";
import type { Workspace } from "../platform/workspace";
import { differs, readCuratedObject } from "./curated-object";
import { parseListing } from "./listing";
import {
  finishPlan,
  type Plan,
  type PlannedShard,
  planFromTable,
  planRows,
  type ShardOutcome,
  writePlannedShard,
} from "./plan";
import { type Rejection, rejectRows } from "./rejects";
import type { Scorer, ScoringBatch } from "./scoring";
import { ShardFiles } from "./shards";
import processPage from "./worker";

export interface ServiceContext {
  readonly workspace: {
    readonly buckets: Pick<Workspace["buckets"], "curated" | "processed" | "models">;
    readonly warehouse: Workspace["warehouse"];
  };
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const PLANE = RECIPE.side ** 2;

/**
 * What a Spark driver and its tasks ask of this code, one frame a request. A plan names the work, `pixels` does it for one
 * image, `write` and `score` store the result of many, `finish` ends the run. Nothing is kept between requests that a
 * process started anew would miss.
 *
 * | request (type) | with | answer |
 * | --- | --- | --- |
 * | hello | | recipe |
 * | plan | listing: URI, optional | a frame a shard (name, cost, images; payload: the shard), then the rest of the plan |
 * | pixels | object, sha256 | payload: 128 x 128 bytes; or rejection |
 * | write | shard, made: ids, rejections by id; payload: the pixels in the order of `made` | outcome |
 * | finish | payload: plan, outcomes | items, skipped, rejected, notes |
 * | plan-scoring | | a frame a batch, then skipped and notes |
 * | score | batch, made: SHA-256s; payload: the pixels in the order of `made` | refused: SHA-256s |
 */
export class PreprocessService {
  private files: Promise<ShardFiles> | undefined;
  private scorer: Scorer | undefined;

  constructor(private readonly context: ServiceContext) {}

  async handle({ header, payload }: Frame): Promise<Answer> {
    switch (header.type) {
      case "hello":
        return frame({ recipe: RECIPE.id });
      case "plan":
        return this.plan(header.listing as string | undefined);
      case "pixels":
        return this.pixels(header.object as string, header.sha256 as string);
      case "write":
        return this.write(header as unknown as WriteRequest, payload);
      case "finish":
        return this.finish(payload);
      case "plan-scoring":
        return this.planScoring();
      case "score": {
        const { batch, made } = header as unknown as { batch: ScoringBatch; made: string[] };
        // TensorFlow.js alone takes a second: only who scores waits for it.
        this.scorer ??= new (await import("./scoring.js")).Scorer(this.context.workspace);
        return frame({ refused: await this.scorer.score(batch, planes(made, payload), new Date()) });
      }
      default:
        throw new Error(`There is no request of the type ${JSON.stringify(header.type)}.`);
    }
  }

  async close(): Promise<void> {
    await (await this.files?.catch(() => undefined))?.close();
    await this.scorer?.close();
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

  private async pixels(object: string, sha256: string): Promise<Frame> {
    const bytes = await readCuratedObject(this.context.workspace.buckets.curated, object);
    if ("reason" in bytes) return frame({ rejection: bytes });
    const pixels = await processPage({ bytes, sha256 });
    return pixels ? frame({}, pixels) : frame({ rejection: differs(object) });
  }

  private async write({ shard, made, rejections }: WriteRequest, payload: Uint8Array): Promise<Frame> {
    const { curated, processed } = this.context.workspace.buckets;
    this.files ??= ShardFiles.open(processed);
    const exists = await writePlannedShard(await this.files, curated, shard, planes(made, payload));
    const rejects = rejectRows(shard.rows, new Map(Object.entries(rejections)));
    const outcome: ShardOutcome = { name: shard.name, decoded: made.length, exists, rejects };
    return frame({ outcome });
  }

  private async finish(payload: Uint8Array): Promise<Frame> {
    const { plan, outcomes } = JSON.parse(Buffer.from(payload).toString("utf8")) as {
      plan: Omit<Plan, "shards">;
      outcomes: ShardOutcome[];
    };
    return frame(await finishPlan(this.context.workspace.buckets.processed, plan, outcomes));
  }

  private async *planScoring(): AsyncGenerator<Frame> {
    const { planScoring } = await import("./scoring.js");
    const { batches, ...rest } = await planScoring(this.context.workspace);
    for (const batch of batches) {
      const { name, cost, pictures } = batch;
      yield frame({ name, cost, images: pictures.length, more: true }, Buffer.from(JSON.stringify(batch)));
    }
    yield frame({}, Buffer.from(JSON.stringify(rest)));
  }
}

interface WriteRequest {
  readonly shard: PlannedShard;
  readonly made: readonly string[];
  readonly rejections: Readonly<Record<string, Rejection>>;
}

/** One channel of each image by its key. */
function planes(keys: readonly string[], payload: Uint8Array): Map<string, Uint8Array> {
  if (payload.length !== keys.length * PLANE)
    throw new Error(`The pixels of ${keys.length} images have ${keys.length * PLANE} bytes, not ${payload.length}.`);
  return new Map(keys.map((key, index) => [key, payload.subarray(index * PLANE, (index + 1) * PLANE)]));
}

/** A text by its URI: `gs://bucket/name`, `file:///path` or a path on this machine. */
async function readText(uri: string): Promise<string> {
  const google = /^(gs:\/\/[^/]+)\/(.+)$/.exec(uri);
  if (google) return (await (await openStore(google[1] as string)).read(google[2] as string)).toString("utf8");
  return readFile(uri.startsWith("file:") ? fileURLToPath(uri) : uri, "utf8");
}
