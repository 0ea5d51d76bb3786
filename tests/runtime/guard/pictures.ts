import sharp from "sharp";
import { applyRecipeGrey } from "../../../runtime/imaging";
import { drawPhantom } from "../../../runtime/phantom";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";

/** Pictures of no brain at all, drawn by code; grey, `side` x `side`. */

const SIDE = 96;

export function recipeOf(pixels: Uint8Array, side = SIDE): Uint8Array {
  return applyRecipeGrey({ width: side, height: side, depth: 8, pixels }).grey;
}

export function headSlice(patient: number, slice: number): Uint8Array {
  return recipeOf(
    drawPhantom({ seed: 31, patient, slice, size: SIDE, lesion: (patient + Math.round(slice * 10)) % 2 === 0 }).pixels,
  );
}

const draw = (value: (x: number, y: number) => number): Uint8Array =>
  Uint8Array.from({ length: SIDE * SIDE }, (_, at) =>
    Math.max(0, Math.min(255, Math.round(value(at % SIDE, Math.floor(at / SIDE))))),
  );

async function fromSvg(body: string): Promise<Uint8Array> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}">${body}</svg>`;
  const { data } = await sharp(Buffer.from(svg))
    .flatten({ background: "white" })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return new Uint8Array(data);
}

/** Sums of waves whose strength falls with their frequency, as in photographs. */
function scenery(seed: number): Uint8Array {
  const random = uniform(seed);
  const waves = Array.from({ length: 40 }, () => {
    const frequency = 1 + 25 * random() ** 2;
    const angle = 2 * Math.PI * random();
    return {
      u: frequency * Math.cos(angle),
      v: frequency * Math.sin(angle),
      phase: 2 * Math.PI * random(),
      height: 90 / frequency,
    };
  });
  return draw((x, y) =>
    waves.reduce(
      (sum, { u, v, phase, height }) => sum + height * Math.cos((2 * Math.PI * (u * x + v * y)) / SIDE + phase),
      128,
    ),
  );
}

/** A bright shaft, a joint and a bright shaft, across a dark field: a limb in a scanner. */
function limb(seed: number): Uint8Array {
  const random = uniform(seed);
  const noise = normal(random);
  const width = 15 + 10 * random();
  const joint = 40 + 15 * random();
  const bow = 10 * (random() - 0.5);
  return draw((x, y) => {
    const middle = SIDE / 2 + bow * Math.sin((Math.PI * y) / SIDE);
    const half = width + 7 * Math.exp(-(((y - joint) / 12) ** 2));
    const off = Math.abs(x - middle);
    if (off > half) return 4 + 3 * Math.abs(noise());
    const gap = Math.abs(y - joint) < 3 ? 40 : 170;
    return (off > 0.75 * half ? 90 : gap) + 10 * noise();
  });
}

/** A column of blocks between soft tissue, to every edge of the picture: a spine. */
function spine(seed: number): Uint8Array {
  const random = uniform(seed);
  const noise = normal(random);
  const period = 12 + 4 * random();
  const lean = 0.2 * (random() - 0.5);
  return draw((x, y) => {
    const off = Math.abs(x - SIDE * 0.45 - lean * y);
    const block = y % period < 0.75 * period;
    return (off < 8 ? (block ? 150 : 60) : off < 15 ? 190 : 80 + 30 * Math.sin(x / 5)) + 12 * noise();
  });
}

/** Two dark lungs with bright ribs in a bright chest that fills the frame. */
function chest(seed: number): Uint8Array {
  const random = uniform(seed);
  const noise = normal(random);
  const rib = 8 + 3 * random();
  return draw((x, y) => {
    const lung = Math.min(...[0.3, 0.7].map((side) => Math.hypot((x / SIDE - side) / 0.17, (y / SIDE - 0.45) / 0.32)));
    const stripe = Math.sin(((y + 0.3 * Math.abs(x - SIDE / 2)) * 2 * Math.PI) / rib) > 0.5 ? 35 : 0;
    return (lung < 1 ? 50 + stripe : 190 + stripe / 2) + 6 * noise();
  });
}

function textPage(seed: number): Promise<Uint8Array> {
  const random = uniform(seed);
  const size = 7 + Math.floor(5 * random());
  const lines = Array.from({ length: Math.floor(SIDE / (size * 1.4)) }, (_, i) => {
    const words = "findings of the examination are described below in plain words".slice(
      0,
      15 + Math.floor(40 * random()),
    );
    return `<text x="6" y="${(i + 1) * size * 1.4}" font-family="sans-serif" font-size="${size}">${words}</text>`;
  });
  return fromSvg(lines.join(""));
}

/** Kinds of pictures that a guard must refuse, with a way to draw any number of each. */
export const NOT_BRAINS: Readonly<Record<string, (seed: number) => Uint8Array | Promise<Uint8Array>>> = {
  noise: (seed) => {
    const random = uniform(seed);
    return draw(() => 255 * random());
  },
  gradient: (seed) => draw((x, y) => (255 * (x * Math.cos(seed) + y * Math.sin(seed) + SIDE)) / (3 * SIDE)),
  checkerboard: (seed) =>
    draw((x, y) => ((Math.floor(x / (4 + (seed % 20))) + Math.floor(y / (4 + (seed % 20)))) % 2) * 255),
  scenery,
  text: textPage,
  limb,
  spine,
  chest,
};

/**
 * A head in a CT scanner, in Hounsfield units (air -1000, fat -80, muscle 40, bone from 700, brain 30 to 40, liquor 8,
 * blood 65) through a brain window of 70 to 180 units.
 */
export function ctHead(seed: number, size = 160): Uint8Array {
  const random = uniform(seed);
  const noise = normal(random);
  const [radiusX, radiusY] = [(0.34 + 0.06 * random()) * size, (0.41 + 0.05 * random()) * size];
  const bone = (0.06 + 0.05 * random()) * radiusX;
  const scalp = (0.02 + 0.05 * random()) * radiusX;
  const [width, level] = [70 + 110 * random(), 35 + 15 * random()];
  const [ventricle, tilt] = [0.1 + 0.08 * random(), 0.5 * (random() - 0.5)];
  const bleeding =
    random() < 0.4 ? { x: 0.4 * (random() - 0.5), y: 0.6 * (random() - 0.5), r: 0.1 + 0.1 * random() } : null;
  const units = (column: number, row: number): number => {
    const [across, down] = [column - size / 2, row - size / 2];
    const x = across * Math.cos(tilt) + down * Math.sin(tilt);
    const y = down * Math.cos(tilt) - across * Math.sin(tilt);
    // How far outside the outer edge of the bone, pixels.
    const r = Math.hypot(x / radiusX, y / radiusY);
    const outside = (r - 1) * radiusX;
    if (outside > scalp) return -1000;
    if (outside > 0.4 * scalp) return -80;
    if (outside > 0) return 40;
    if (outside > -bone) return 900;
    const [u, v] = [x / radiusX, y / radiusY];
    if (Math.hypot((Math.abs(u) - 0.13) / ventricle, v / 0.3) < 1) return 8;
    if (bleeding && Math.hypot(u - bleeding.x, v - bleeding.y) < bleeding.r) return 65;
    return (r < 0.75 ? 30 : 38) + 3 * noise();
  };
  return Uint8Array.from({ length: size * size }, (_, at) => {
    const value = (units(at % size, Math.floor(at / size)) - level) / width + 0.5;
    return Math.round(255 * Math.min(1, Math.max(0, value)));
  });
}

/** A square picture turned clockwise by 90 degrees. */
export function turned(grey: Uint8Array): Uint8Array {
  const side = Math.sqrt(grey.length);
  return Uint8Array.from(grey, (_, at) => grey[(side - 1 - (at % side)) * side + Math.floor(at / side)] as number);
}

export const seedOf = (kind: string, i: number): number => mixSeed(kind.length, kind.charCodeAt(0), i);
