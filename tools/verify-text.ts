import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { type Box, blankText, TextFinder } from "../runtime/guard";
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

/** Where text is drawn, and how it is turned there: degrees, clockwise. */
const PLACES = [
  { name: "At the edges", at: "edge", turns: [0] },
  { name: "Across the head", at: "head", turns: [0] },
  { name: "Up and down, at the edges", at: "edge", turns: [90, 270] },
  { name: "Up and down the head", at: "head", turns: [90, 270] },
] as const;
type Place = (typeof PLACES)[number];

/** What has to be reached: in white, of 10 pixels and more, where machines write; of each way in which it is turned. */
const TARGET = { size: 10, found: 0.95, falseAlarms: 0.02 };
/** Share of the ink of a drawn line that is about a letter. */
const LETTER = 0.05;

/** The half of names that the rule was chosen on. */
const wasTunedOn = (path: string) => (createHash("sha256").update(path).digest()[0] as number) % 2 === 0;

interface Flags {
  readonly data: string;
  readonly list?: true;
  readonly known?: string;
  readonly blank?: true;
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
    .option(
      "--known <csv>",
      "a table whose column sha256 names files of --data that hold text already, such as docs/burned-in-text.csv: they are counted apart",
    )
    .option("--blank", "also paints over the text that is found, and counts the letters that are left")
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

async function measure({ data, list, known, blank, match = "", side, plain, each }: Flags): Promise<number> {
  const random = uniform(16);
  const paths = filesOfFolder(data).filter((path) => path.includes(match) && !wasTunedOn(path));
  const order = shuffle(Uint32Array.from(paths.keys()), random);
  const holdText = known === undefined ? new Set<string>() : sha256sOf(known);
  const finder = new TextFinder();
  const progress = createProgress("slices");
  try {
    progress.start(Number(plain) + PLACES.length * SIZES.length * CONTRASTS.length * Number(each));
    const next = slices(
      data,
      Array.from(order, (at) => paths[at] as string),
    );
    const nextSlice = async () => {
      const { value } = await next.next();
      if (!value) throw new Error("There are no slices.");
      return { ...value, image: await enlarged(value.image, Number(side)) };
    };
    const without: Plain[] = [];
    for (let i = 0; i < Number(plain); i++, progress.advance()) {
      const { path, sha256, image } = await nextSlice();
      without.push({ path, holdsText: holdText.has(sha256), isKept: await finder.holdsLine(image) });
    }
    const rows: Row[] = [];
    const left: (number | undefined)[] = [];
    for (const place of PLACES)
      for (const size of SIZES) {
        const found: number[] = [];
        for (const { step } of CONTRASTS) {
          let count = 0;
          for (let i = 0; i < Number(each); i++, progress.advance()) {
            const { image, ink } = await withText((await nextSlice()).image, { place, size, step, random });
            if (!(await finder.holdsLine(image))) continue;
            count++;
            if (!blank) continue;
            const blanked = await blankText(image, (picture) => finder.find(picture), false);
            left.push(blanked && inkOutside(ink, image.width, blanked.boxes));
          }
          found.push(count / Number(each));
        }
        rows.push({ place, size, found });
      }
    progress.finish();
    if (list) for (const { path, isKept } of without) if (isKept) print(path);
    if (blank) reportBlanked(left);
    return report(rows, without, each);
  } finally {
    await finder.close();
  }
}

/** What the column `sha256` of a table names. */
function sha256sOf(csv: string): Set<string> {
  const [head = "", ...lines] = readFileSync(csv, "utf8").trim().split(/\r?\n/);
  const column = head.split(",").indexOf("sha256");
  if (column === -1) throw new Error(`${csv} has no column sha256.`);
  return new Set(lines.map((line) => line.split(",")[column] as string));
}

/** A slice as it came. */
interface Plain {
  readonly path: string;
  /** Whether a person saw text in it. */
  readonly holdsText: boolean;
  readonly isKept: boolean;
}

/** Share of a text's ink that lies in none of some boxes. */
function inkOutside(ink: Uint8Array, width: number, boxes: readonly Box[]): number {
  let [outside, all] = [0, 0];
  for (const [i, value] of ink.entries()) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const isIn = (box: Box) => x >= box.left && x < box.left + box.width && y >= box.top && y < box.top + box.height;
    all += value;
    if (value > 0 && !boxes.some(isIn)) outside += value;
  }
  return outside / all;
}

interface Row {
  readonly place: Place;
  readonly size: number;
  /** Shares, by contrast. */
  readonly found: readonly number[];
}

/** Pictures of files in turn, from the first again after the last; what is no picture is passed over. */
async function* slices(
  data: string,
  paths: readonly string[],
): AsyncGenerator<{ readonly path: string; readonly sha256: string; readonly image: GreyImage }, undefined> {
  for (let read = 0; ; read = 0) {
    for (const path of paths) {
      const bytes = await readFile(inFolder(data, path));
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      for await (const image of pagesOf(bytes)) {
        read++;
        yield { path, sha256, image };
      }
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

/** Text at the left or right edge, in the first or last lines, as machines write it; or across the head. Turned, it is so of the turned picture. */
async function withText(
  image: GreyImage,
  { place, size, step, random }: Drawing,
): Promise<{ readonly image: GreyImage; readonly ink: Uint8Array }> {
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const [text, font, turn] = [pick(TEXTS), pick(FONTS), pick<number>(place.turns)];
  const [width, height] = turn === 0 ? [image.width, image.height] : [image.height, image.width];
  const line = Math.floor(1.3 * size * (1 + Math.floor(2 * random())));
  const y =
    place.at === "edge" ? pick([line, height - 2 - Math.floor(line - size)]) : height * (0.35 + 0.35 * random());
  const [x, anchor] =
    place.at === "head" ? [width / 2, "middle"] : pick([[3, "start"] as const, [width - 3, "end"] as const]);
  const drawn = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><text x="${x}" y="${Math.round(y)}" text-anchor="${anchor}" font-family="${font}" font-size="${size}">${text}</text></svg>`;
  const upright = await sharp(Buffer.from(drawn)).png().toBuffer();
  const ink = await sharp(upright).rotate(turn).ensureAlpha().extractChannel(3).raw().toBuffer();
  const white = image.depth === 8 ? 255 : 65_535;
  let [sum, inked] = [0, 0];
  for (const [i, share] of ink.entries()) if (share > 40) [sum, inked] = [sum + (image.pixels[i] as number), inked + 1];
  if (inked === 0)
    throw new Error("No text is drawn on this machine. Install the fonts of DejaVu (fonts-dejavu-core).");
  const below = sum / inked;
  const level = step === 1 ? white : below + step * white <= white ? below + step * white : below - step * white;
  const pixels = image.pixels.slice();
  for (const [i, share] of ink.entries())
    pixels[i] = Math.round((pixels[i] as number) + ((level - (pixels[i] as number)) * share) / 255);
  return { image: { ...image, pixels } as GreyImage, ink };
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(8);

/** @param left shares of ink; undefined where a picture was kept back after all */
function reportBlanked(left: readonly (number | undefined)[]): void {
  const taken = left.filter((share) => share !== undefined);
  const readable = taken.filter((share) => share > LETTER);
  print(
    `${percent(1 - taken.length / left.length)}  of ${left.length} pictures with drawn text that is found are kept back, not painted over`,
  );
  print(
    `${percent(readable.length / taken.length)}  of the others keep more than a letter of it (a twentieth of its ink)`,
  );
}

function report(rows: readonly Row[], without: readonly Plain[], each: string): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const kept = (slices: readonly Plain[]) => mean(slices.map(({ isKept }) => (isKept ? 1 : 0)));
  const [plain, texts] = [without.filter(({ holdsText }) => !holdsText), without.filter(({ holdsText }) => holdsText)];
  const falseAlarms = kept(plain);
  print(`${percent(falseAlarms)}  of ${plain.length} slices without text are kept back`);
  if (texts.length > 0)
    print(`${percent(kept(texts))}  of ${texts.length} slices that are known to hold text are kept back`);
  let reached = falseAlarms <= TARGET.falseAlarms;
  for (const place of PLACES) {
    const ofPlace = rows.filter((row) => row.place === place);
    print(`\n${place.name}, ${each} slices each: found`);
    print(`${"size".padStart(6)}${CONTRASTS.map(({ name }) => name.padStart(10)).join("")}`);
    for (const { size, found } of ofPlace)
      print(`${String(size).padStart(6)}${found.map((share) => percent(share).padStart(10)).join("")}`);
    const large = ofPlace.filter(({ size }) => size >= TARGET.size);
    const byContrast = CONTRASTS.map(
      ({ name }, at) => `${name} ${percent(mean(large.map(({ found }) => found[at] as number))).trim()}`,
    );
    print(`of ${TARGET.size} pixels and more: ${byContrast.join(", ")}`);
    if (place.at === "edge" && mean(large.map(({ found }) => found[0] as number)) < TARGET.found) reached = false;
  }
  return reached ? EXIT.done : EXIT.failed;
}

ifMain(module, verifyText);
