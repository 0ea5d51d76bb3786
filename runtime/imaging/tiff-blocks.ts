import { RejectedImage } from "./rejected";
import type { TiffPage } from "./tiff";
import { TAG } from "./tiff-directory";
import { COMPRESSION } from "./tiff-encoding";

type Subsampled = Pick<TiffPage, "block" | "subsampling">;

/** Where the bytes of a strip or tile lie in the file. */
export interface Block {
  readonly offset: number;
  readonly size: number;
}

/**
 * The strips or tiles of a page, row by row; those of a plane before those of the next.
 * @throws {RejectedImage} `truncated`
 */
export function findBlocks(page: TiffPage): Block[] {
  const { directory, file, tiled, planar, samples, compression } = page;
  const perPlane = countBlocks(page);
  const number = perPlane * (planar ? samples : 1);
  const [offsetsTag, sizesTag] = tiled ? [TAG.tileOffsets, TAG.tileBytes] : [TAG.stripOffsets, TAG.stripBytes];
  if (directory.count(offsetsTag) < number) throw truncated();
  const blocks: Block[] = [];
  for (let i = 0; i < number; i++) {
    const offset = directory.integer(offsetsTag, i);
    if (offset === undefined) throw truncated();
    // The size of plain pixels is known, whatever is written; one strip without a size goes to the end of the file.
    const size =
      compression === COMPRESSION.none
        ? plainBytes(page, rowsOf(page, i % perPlane))
        : (directory.integer(sizesTag, i) ?? (number === 1 ? file.bytes.length - offset : 0));
    if (size <= 0 || offset + size > file.bytes.length) throw truncated();
    blocks.push({ offset, size });
  }
  return blocks;
}

/** Rows of a strip, of which the last may have fewer, or of a tile. */
export function rowsOf({ tiled, block, height }: TiffPage, index: number): number {
  return tiled ? block.height : Math.min(block.height, height - index * block.height);
}

/** Bytes of so many rows of a strip or tile without compression. */
function plainBytes(page: TiffPage, rows: number): number {
  const { block, planar, samples, bits } = page;
  if (isSubsampled(page)) return packedColumns(page) * packedRows(page, rows);
  return rows * Math.ceil((block.width * (planar ? 1 : samples) * (bits[0] as number)) / 8);
}

/** Strips or tiles of a plane. */
export function countBlocks({ width, height, block }: Pick<TiffPage, "width" | "height" | "block">): number {
  return Math.ceil(width / block.width) * Math.ceil(height / block.height);
}

export function isSubsampled({ subsampling: [across, down] }: Subsampled): boolean {
  return across > 1 || down > 1;
}

/** Bytes of a unit of subsampled pixels: the luma of each, and the chroma of all. */
export function unitBytes({ subsampling: [across, down] }: Subsampled): number {
  return across * down + 2;
}

/** Bytes of a row of units in a strip or tile. */
export function packedColumns(page: Subsampled): number {
  return Math.ceil(page.block.width / page.subsampling[0]) * unitBytes(page);
}

/** Rows of units that so many rows of pixels take. */
export function packedRows({ subsampling: [, down] }: Subsampled, rows: number): number {
  return Math.ceil(rows / down);
}

/**
 * The bytes of all blocks one behind the other; those that several share (blank ones, mostly) once.
 * @throws {RejectedImage} `damaged`
 */
export function gather(bytes: Buffer, blocks: readonly Block[]) {
  const chunks: Buffer[] = [];
  const placed = new Map<string, number>();
  let length = 0;
  const offsets = blocks.map(({ offset, size }) => {
    const key = `${offset} ${size}`;
    const known = placed.get(key);
    if (known !== undefined) return known;
    const at = length;
    placed.set(key, at);
    chunks.push(bytes.subarray(offset, offset + size));
    length += size;
    if (length > bytes.length) {
      throw new RejectedImage("damaged", "The strips or tiles of this TIFF page overlap. Export it again.");
    }
    return at;
  });
  return { chunks, offsets, sizes: blocks.map(({ size }) => size) };
}

function truncated(): RejectedImage {
  return new RejectedImage("truncated", "The TIFF file ends before its last pixel. Export or send it again.");
}
