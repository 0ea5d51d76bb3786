import { readJpegSubsampling } from "./headers";
import { RejectedImage } from "./rejected";
import type { TiffPage } from "./tiff";
import { type Block, findBlocks, gather, packedColumns, packedRows, rowsOf } from "./tiff-blocks";
import { TAG } from "./tiff-directory";
import { COMPRESSION, COMPRESSION_OPTIONS, PHOTOMETRIC } from "./tiff-encoding";
import { Fields } from "./tiff-fields";

/**
 * A plain TIFF file of one page, with the tags that decide its pixels and no other. So whatever else stands in a
 * directory (notes, private tags, wrong counts or order) is no reason to refuse a page, every warning of the decoder
 * is one about pixels, and page 1,000 of a file costs no more than page 1.
 *
 * Three things are said otherwise than in the original: extra samples have no meaning, signed 16-bit samples are
 * unsigned, and YCbCr is RGB, because the decoder would divide by the first, lose the negative values of the second, and
 * mix up planes of the third. `page` knows all three.
 *
 * @throws {RejectedImage} `truncated` or `damaged`
 */
export function singlePage(page: TiffPage): Buffer {
  const blocks = findBlocks(page);
  const fields = new Fields(page.file.littleEndian);
  describe(page, fields);
  if (page.compression === COMPRESSION.jpeg) describeJpeg(page, blocks, fields);
  return assemble(page, blocks, fields, page.tiled);
}

/**
 * The units of a subsampled page, of which each is the luma of some pixels and the chroma of all of them, as the bytes of a
 * grey picture of {@link packedColumns}: the strips or tiles below each other. So nothing but their compression is undone.
 * @throws {RejectedImage} `truncated` or `damaged`
 */
export function packedPage(page: TiffPage): Buffer {
  const blocks = findBlocks(page);
  const fields = new Fields(page.file.littleEndian);
  const full = packedRows(page, page.block.height);
  const last = packedRows(page, rowsOf(page, blocks.length - 1));
  fields.longs(TAG.width, [packedColumns(page)]);
  fields.longs(TAG.height, [full * (blocks.length - 1) + last]);
  fields.longs(TAG.rowsPerStrip, [full]);
  fields.shorts(TAG.bits, [8]);
  fields.shorts(TAG.photometric, [PHOTOMETRIC.blackIsZero]);
  fields.shorts(TAG.samples, [1]);
  describeCompression(page, fields);
  return assemble(page, blocks, fields, false);
}

function assemble(page: TiffPage, blocks: readonly Block[], fields: Fields, tiled: boolean): Buffer {
  const { chunks, offsets, sizes } = gather(page.file.bytes, blocks);
  const [offsetsTag, sizesTag] = tiled ? [TAG.tileOffsets, TAG.tileBytes] : [TAG.stripOffsets, TAG.stripBytes];
  fields.longs(sizesTag, sizes);
  fields.longs(offsetsTag, offsets);
  // How long the fields are does not depend on the values.
  const { length } = fields.encode();
  fields.longs(
    offsetsTag,
    offsets.map((offset) => length + offset),
  );
  return Buffer.concat([fields.encode(), ...chunks]);
}

/** Everything but the compression of JPEG, and where the pixels lie. */
function describe(page: TiffPage, fields: Fields): void {
  const { directory, width, height, samples, colours, bits, sampleFormats, photometric, planar, tiled, block } = page;
  const all = (value: number) => Array<number>(samples).fill(value);
  fields.longs(TAG.width, [width]);
  fields.longs(TAG.height, [height]);
  fields.shorts(TAG.bits, all(bits[0] as number));
  fields.shorts(TAG.photometric, [isPlainYcbcr(page) ? PHOTOMETRIC.rgb : (photometric as number)]);
  fields.shorts(TAG.samples, [samples]);
  fields.shorts(TAG.planar, [planar ? 2 : 1]);
  fields.shorts(TAG.sampleFormat, all(isSigned16(page) ? 1 : (sampleFormats[0] as number)));
  if (samples > colours) fields.shorts(TAG.extraSamples, Array<number>(samples - colours).fill(0));
  if (tiled) fields.longs(TAG.tileWidth, [block.width]);
  if (tiled) fields.longs(TAG.tileHeight, [block.height]);
  else fields.longs(TAG.rowsPerStrip, [block.height]);
  fields.shorts(TAG.orientation, [page.orientation]);
  if (photometric === PHOTOMETRIC.inks) fields.bytes(TAG.profile, directory.raw(TAG.profile));
  if (photometric === PHOTOMETRIC.palette) {
    fields.shorts(TAG.palette, directory.integers(TAG.palette, 3 * 2 ** (bits[0] as number)));
  }
  describeCompression(page, fields);
}

function describeCompression({ directory, compression }: TiffPage, fields: Fields): void {
  fields.shorts(TAG.compression, [compression]);
  for (const tag of [TAG.fillOrder, COMPRESSION_OPTIONS[compression]]) {
    const value = tag && directory.integer(tag);
    if (tag && value !== undefined) fields.longs(tag, [value]);
  }
}

/** What the JPEG data say counts: a directory that says otherwise, or nothing, is no reason to refuse them. */
function describeJpeg({ directory, file, photometric }: TiffPage, [first]: readonly Block[], fields: Fields): void {
  fields.bytes(TAG.jpegTables, directory.raw(TAG.jpegTables));
  if (photometric !== PHOTOMETRIC.ycbcr || !first) return;
  try {
    const data = file.bytes.subarray(first.offset, first.offset + first.size);
    fields.shorts(TAG.ycbcrSubsampling, readJpegSubsampling(data));
  } catch (error) {
    // Of data that cannot be read the decoder speaks.
    if (!(error instanceof RejectedImage)) throw error;
  }
}

/** YCbCr samples that are handed out as they are stored. */
export function isPlainYcbcr({ photometric, compression }: TiffPage): boolean {
  return photometric === PHOTOMETRIC.ycbcr && compression !== COMPRESSION.jpeg;
}

/** Whether the decoder is told that signed samples are unsigned, see {@link singlePage}. */
export function isSigned16({ bits, sampleFormats }: TiffPage): boolean {
  return bits[0] === 16 && sampleFormats[0] === 2;
}
