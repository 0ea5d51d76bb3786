// Runs apart from jest so that the peak is that of decoding alone: what a 1 GiB function would need.
const { crc32 } = require("@node-rs/crc32");
const sharp = require("sharp");
const { decodeScan } = require("../../../dist/runtime/imaging");

async function outcome(bytes) {
  try {
    for await (const page of decodeScan(bytes)) return String(page.image.depth);
  } catch (error) {
    return error.code;
  }
}

async function main() {
  const noise = (width, height) =>
    sharp({ create: { width, height, channels: 3, background: "#306090" }, limitInputPixels: false }).composite([
      { input: Buffer.from('<svg width="64" height="64"><circle cx="30" cy="30" r="20"/></svg>'), tile: false },
    ]);
  const progressive = await noise(6000, 6000).jpeg({ progressive: true, chromaSubsampling: "4:4:4" }).toBuffer();
  const interlaced = await noise(6500, 6500).png({ progressive: true, compressionLevel: 1 }).toBuffer();
  const bomb = Buffer.from(
    await sharp(Buffer.alloc(4096), { raw: { width: 64, height: 64, channels: 1 } })
      .png()
      .toBuffer(),
  );
  bomb.writeUInt32BE(30_000, 16);
  bomb.writeUInt32BE(30_000, 20);
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
  const wide = await sharp(Buffer.alloc(7000 * 7000 * 2, 7).fill(90, 0, 5_000_000), {
    raw: { width: 7000, height: 14_000, channels: 1 },
  })
    .resize(7000, 7000, { kernel: "nearest", fit: "fill" })
    .toColourspace("grey16")
    .png({ compressionLevel: 1 })
    .toBuffer();
  const outcomes = await Promise.all([progressive, interlaced, bomb, wide, bomb.subarray(0, 60)].map(outcome));
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(JSON.stringify({ peakMiB, outcomes }));
}

main();
