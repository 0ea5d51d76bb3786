import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { encodePng, type GreyImage } from "../../runtime/imaging";
import { drawHead, mirror, shift } from "../runtime/imaging/pictures";
import { writeTiff } from "../runtime/imaging/tiff-writer";

/** The same head as bytes of 16 bits a sample. */
const deep = (image: GreyImage) => Uint16Array.from(image.pixels, (value) => value * 257);

/**
 * A folder of scans in every form that ingest takes beside plain PNG: 16-bit and multi-page TIFF, CMYK and palette, with
 * near-duplicates and patients among them. @returns how many pages it holds
 */
export async function drawScans(folder: string): Promise<number> {
  for (const label of ["Cancer", "Non-Cancer", "Unlabelled"]) await mkdir(join(folder, label), { recursive: true });
  const write = (path: string, content: Buffer) => writeFile(join(folder, path), content);
  const manifest = ["path,patient_id"];
  const head = (seed: number) => drawHead(seed, 100 + (seed % 5) * 8, 120);
  for (let seed = 1; seed <= 24; seed++) {
    const label = seed % 2 ? "Cancer" : "Non-Cancer";
    await write(`${label}/${seed}.png`, await encodePng(head(seed)));
    if (seed % 3 === 0) manifest.push(`${label}/${seed}.png,patient-${seed % 4}`);
  }
  await write("Cancer/mirrored.png", await encodePng(mirror(head(1), "horizontal")));
  await write("Unlabelled/shifted.png", await encodePng(shift(head(2), 1, -1)));
  const [a, b, c] = [head(31), head(32), head(33)];
  const page = (image: GreyImage, bits: 8 | 16) => ({
    width: image.width,
    height: image.height,
    bits,
    values: bits === 8 ? image.pixels : deep(image),
  });
  await write("Cancer/deep.tif", writeTiff([page(a, 16)]));
  await write("Non-Cancer/pages.tif", writeTiff([page(a, 8), page(b, 8), page(c, 8)]));
  const raw = (image: GreyImage) =>
    sharp(Buffer.from(image.pixels), { raw: { width: image.width, height: image.height, channels: 1 } });
  await write("Cancer/cmyk.jpg", await raw(head(34)).toColourspace("cmyk").jpeg({ quality: 95 }).toBuffer());
  await write("Non-Cancer/palette.png", await raw(head(35)).toColourspace("srgb").png({ palette: true }).toBuffer());
  await write("Unlabelled/small.webp", await raw(head(36)).webp({ lossless: true }).toBuffer());
  await writeFile(join(folder, "manifest.csv"), `${manifest.join("\n")}\n`);
  return 24 + 2 + 1 + 3 + 2 + 1;
}
