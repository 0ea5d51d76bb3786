import { oneChannel, RECIPE } from "../imaging";
import type { Split } from "../intake";
import type { ReadableStore } from "../platform/stores";
import { ShardFiles, type ShardRow } from "./shards";

export interface ProcessedImage extends ShardRow {
  /** 0 to 255, row by row: 128 x 128 x 3 with the channels of a pixel side by side, or 128 x 128 with `channels: 1`. */
  readonly pixels: Uint8Array;
  /** Share of lesion in each of the 128 x 128 pixels, 0 to 255; null where no mask is known. */
  readonly mask: Uint8Array | null;
}

export interface ReadShardsOptions {
  /** Only rows of this split. */
  readonly split?: Split;
  /** 1: one of the three equal channels. Default 3. */
  readonly channels?: 1 | 3;
  /** Default: the recipe of this code. */
  readonly recipe?: string;
}

/** Every processed image of a recipe, shard after shard, always in the same order. Holds one shard in memory. */
export async function* readShards(
  workspace: { readonly buckets: { readonly processed: ReadableStore } },
  options: ReadShardsOptions = {},
): AsyncGenerator<ProcessedImage> {
  const files = await ShardFiles.open(workspace.buckets.processed);
  try {
    for (const name of await files.names(options.recipe ?? RECIPE.id)) {
      for (const { row, pixels, mask } of await files.rowsWithPixels(name, options.split)) {
        yield { ...row, pixels: options.channels === 1 ? oneChannel(pixels) : Uint8Array.from(pixels), mask };
      }
    }
  } finally {
    await files.close();
  }
}

/** SHA-256 of the lesion mask of each processed image of the current recipe that has one, by id. */
export async function readMaskHashes(workspace: {
  readonly buckets: { readonly processed: ReadableStore };
}): Promise<ReadonlyMap<string, string>> {
  const files = await ShardFiles.open(workspace.buckets.processed);
  try {
    const hashes: [string, string][] = [];
    for (const name of await files.names()) hashes.push(...(await files.maskHashes(name)));
    return new Map(hashes);
  } finally {
    await files.close();
  }
}

/** Every processed image of the current recipe without its pixels, in the order of {@link readShards}. */
export async function readShardRows(workspace: {
  readonly buckets: { readonly processed: ReadableStore };
}): Promise<ShardRow[]> {
  const files = await ShardFiles.open(workspace.buckets.processed);
  try {
    const rows: ShardRow[] = [];
    for (const name of await files.names()) rows.push(...(await files.rows(name)));
    return rows;
  } finally {
    await files.close();
  }
}
