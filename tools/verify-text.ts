import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { TextFinder } from "../runtime/guard";
import { decodeScan, type GreyImage, RejectedImage } from "../runtime/imaging";
import { createProgress } from "../runtime/platform/progress";
import { shuffle, uniform } from "../runtime/platform/random";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { filesOfFolder, inFolder } from "./python-judge";

/** Sizes of fonts, pixels; capitals are seven tenths as high. */
const SIZES = [7, 8, 9, 10, 12, 16, 20, 24];
/** How much brighter text is than what it lies on, as shares of white; darker where there is no room above. */
const CONTRASTS = [
  { name: "white", step: 1 },
  { name: "+50 %", step: 0.5 },
  { name: "+30 %", step: 0.3 },
];
/** The rule was chosen with DejaVu Sans. */
const FONTS = ["DejaVu Serif", "DejaVu Sans Mono", "DejaVu Serif Bold"];
const TEXTS = [
  "WEBER^ANNA",
  "Garcia, Maria",
  "PATEL RAVI M 041Y",
  "MRN 0098-2231",
  "2019-11-23 08:14",
  "23.11.2019",
  "ST. MARY HOSPITAL",
  "Acc 7731200",
  "Le Van Duc",
  "JOHANSSON, E.",
];

/** What has to be reached: in white, of 10 pixels and more, where machines write. */
const TARGET = { size: 10, found: 0.95, falseAlarms: 0.02 };

/** The half of names that the rule was chosen on. */
const wasTunedOn = (path: string) => (createHash("sha256").update(path).digest()[0] as number) % 2 === 0;

interface Flags {
  readonly data: string;
  readonly list?: true;
  readonly match?: string;
  readonly side: string;
  readonly plain: string;
  readonly each: string;
}

/** Draws text into slices that the rule was not chosen on, and counts what is found, and what is where there is none. */
export function verifyText(args: readonly string[]): Promise<number> {
  const program = tool(
    "verify:text",
    "Measures what is found of text that is drawn into slices, by size and contrast, and how often it is found where none was drawn.",
  )
    .requiredOption("--data <dir>", "a folder of slices as pictures; those that the rule was chosen on are passed over")
    .option("--list", "name the slices without text that are kept back: some hold text that nobody drew here")
    .option("--match <text>", "only files with this in their path")
    .option("--side <pixels>", "slices are made so large first, as matrices of 512 are", "0")
    .option("--plain <n>", "slices without text", "400")
    .option("--each <n>", "slices of each size, contrast and place", "40")
    .addHelpText(
      "after",
      "\nExits with 1 where less is reached than docs/standards.md says. Needs the fonts of DejaVu.",
    );
  return runTool(program, () => measure(program.opts<Flags>()), args);
}

async function measure({ data, list, match = "", side, plain, each }: Flags): Promise<number> {
  const random = uniform(16);
  const paths = filesOfFolder(data).filter((path) => path.includes(match) && !wasTunedOn(path));
  const order = shuffle(Uint32Array.from(paths.keys()), random);
  const finder = new TextFinder();
  const progress = createProgress("slices");
  try {
    progress.start(Number(plain) + 2 * SIZES.length * CONTRASTS.length * Number(each));
    const next = slices(
      data,
      Array.from(order, (at) => paths[at] as string),
    );
    const share = async (count: number, draw: (slice: GreyImage) => GreyImage | Promise<GreyImage>) => {
      const found: string[] = [];
      for (let i = 0; i < count; i++, progress.advance()) {
        const { value } = await next.next();
        if (value && (await finder.find(await draw(await enlarged(value.image, Number(side)))))) found.push(value.path);
      }
      return { share: found.length / count, found };
    };
    const alarms = await share(Number(plain), (slice) => slice);
    const rows: Row[] = [];
    for (const place of ["edge", "head"] as const)
      for (const size of SIZES) {
        const found: number[] = [];
        for (const { step } of CONTRASTS)
          found.push((await share(Number(each), (slice) => withText(slice, { place, size, step, random }))).share);
        rows.push({ place, size, found });
      }
    progress.finish();
    if (list) for (const path of alarms.found) print(path);
    return report(rows, alarms.share, { plain, each });
  } finally {
    await finder.close();
  }
}

interface Row {
  readonly place: "edge" | "head";
  readonly size: number;
  /** Shares, by contrast. */
  readonly found: readonly number[];
}

/** Pictures of files in turn, from the first again after the last; what is no picture is passed over. */
async function* slices(
  data: string,
  paths: readonly string[],
): AsyncGenerator<{ readonly path: string; readonly image: GreyImage }, undefined> {
  for (let read = 0; ; read = 0) {
    for (const path of paths)
      for await (const image of pagesOf(await readFile(inFolder(data, path)))) {
        read++;
        yield { path, image };
      }
    if (read === 0) throw new Error(`No file of ${data} that the rule was not chosen on is a picture.`);
  }
}

async function* pagesOf(bytes: Buffer): AsyncGenerator<GreyImage> {
  try {
    for await (const page of decodeScan(bytes)) if ("image" in page) yield page.image;
  } catch (error) {
    if (!(error instanceof RejectedImage)) throw error;
  }
}

async function enlarged(image: GreyImage, side: number): Promise<GreyImage> {
  const { width, height, depth, pixels } = image;
  if (side === 0 || depth !== 8) return image;
  const { data, info } = await sharp(pixels, { raw: { width, height, channels: 1 } })
    .resize(side, side, { fit: "inside" })
    .extractChannel(0)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, depth, pixels: new Uint8Array(data) };
}

interface Drawing {
  readonly place: Row["place"];
  readonly size: number;
  readonly step: number;
  readonly random: () => number;
}

/** Text at the left or right edge, in the first or last lines, as machines write it; or across the head. */
async function withText(image: GreyImage, { place, size, step, random }: Drawing): Promise<GreyImage> {
  const { width, height } = image;
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const [text, font] = [pick(TEXTS), pick(FONTS)];
  const line = Math.floor(1.3 * size * (1 + Math.floor(2 * random())));
  const y = place === "edge" ? pick([line, height - 2 - Math.floor(line - size)]) : height * (0.35 + 0.35 * random());
  const [x, anchor] =
    place === "head" ? [width / 2, "middle"] : pick([[3, "start"] as const, [width - 3, "end"] as const]);
  const drawn = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><text x="${x}" y="${Math.round(y)}" text-anchor="${anchor}" font-family="${font}" font-size="${size}">${text}</text></svg>`;
  const mask = await sharp(Buffer.from(drawn)).ensureAlpha().extractChannel(3).raw().toBuffer();
  const white = image.depth === 8 ? 255 : 65_535;
  let [sum, inked] = [0, 0];
  for (const [i, ink] of mask.entries()) if (ink > 40) [sum, inked] = [sum + (image.pixels[i] as number), inked + 1];
  if (inked === 0)
    throw new Error("No text is drawn on this machine. Install the fonts of DejaVu (fonts-dejavu-core).");
  const below = sum / inked;
  const level = step === 1 ? white : below + step * white <= white ? below + step * white : below - step * white;
  const pixels = image.pixels.slice();
  for (const [i, ink] of mask.entries())
    pixels[i] = Math.round((pixels[i] as number) + ((level - (pixels[i] as number)) * ink) / 255);
  return { ...image, pixels } as GreyImage;
}

function report(rows: readonly Row[], falseAlarms: number, { plain, each }: Pick<Flags, "plain" | "each">): number {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(8);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  print(`${percent(falseAlarms)}  of ${plain} slices without text are kept back`);
  for (const place of ["edge", "head"] as const) {
    print(`\n${place === "edge" ? "At the edges" : "Across the head"}, ${each} slices each: found`);
    print(`${"size".padStart(6)}${CONTRASTS.map(({ name }) => name.padStart(10)).join("")}`);
    for (const row of rows.filter((one) => one.place === place))
      print(`${String(row.size).padStart(6)}${row.found.map((share) => percent(share).padStart(10)).join("")}`);
  }
  const large = rows.filter(({ place, size }) => place === "edge" && size >= TARGET.size);
  const found = mean(large.map((row) => row.found[0] as number));
  print(`\n${percent(found)}  of white text of ${TARGET.size} pixels and more at the edges is found`);
  return found >= TARGET.found && falseAlarms <= TARGET.falseAlarms ? EXIT.done : EXIT.failed;
}

ifMain(module, verifyText);
