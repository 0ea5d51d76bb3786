import sharp from "sharp";
import {
  decodeScan,
  type GreyImage,
  hashDistance,
  NEAR_DUPLICATE_DISTANCE,
  perceptualHash,
  pixelSha256,
} from "../../../runtime/imaging";
import { drawPhantom } from "../../../runtime/phantom";
import type { KnownScanRow } from "../../../runtime/platform/warehouse";
import { type Asked, KnownScans } from "../../../runtime/similar";

const SIZE = 160;

/** A slice of an imaginary head as a file, and as it is read. */
async function slice(
  patient: number,
  place: number,
  change: (image: sharp.Sharp) => sharp.Sharp = (image) => image.png(),
) {
  const { pixels } = drawPhantom({ seed: 15, patient, slice: place, size: SIZE, lesion: false });
  const drawn = sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 1 } }).toColourspace("b-w");
  return read(await change(drawn).toBuffer());
}

async function read(bytes: Buffer): Promise<{ sha256: string; phash: string }> {
  for await (const page of decodeScan(bytes))
    if ("image" in page) return { sha256: pixelSha256(page.image), phash: perceptualHash(page.image as GreyImage) };
  throw new Error("no picture");
}

const mirrored = (image: sharp.Sharp) => image.flop().jpeg({ quality: 60 });

let id = 0;
const row = (more: Partial<KnownScanRow>): KnownScanRow => {
  const name = String(++id).padStart(64, "0");
  return {
    id: name,
    sha256: name,
    label: "Cancer",
    group: name,
    split: "train",
    patient: null,
    phash: null,
    features: [1, 0],
    ...more,
  };
};
/** Others, so that features have a spread. */
const OTHERS = [
  row({ features: [0.9, 0.1], label: "Non-Cancer" }),
  row({ features: [-1, 0.2] }),
  row({ features: [-1, -0.3], label: "Non-Cancer" }),
];
const FEATURES = [1, 0];

const idsOf = async (known: KnownScans, asked: Asked) =>
  (await known.similarTo(asked, 50)).scans.map(({ id }) => id).sort();

describe("never among the similar", () => {
  let asked: Asked;
  let other: Asked;
  let near: { sha256: string; phash: string };
  beforeAll(async () => {
    const page = await slice(1, 0.1);
    asked = { features: FEATURES, pages: [page] };
    other = { features: FEATURES, pages: [await slice(2, -0.2)] };
    near = await slice(1, 0.1, mirrored);
    expect(near.sha256).not.toBe(page.sha256);
    expect(hashDistance(near.phash, page.phash)).toBeLessThanOrEqual(NEAR_DUPLICATE_DISTANCE);
    expect(hashDistance(other.pages[0]?.phash as string, page.phash)).toBeGreaterThan(NEAR_DUPLICATE_DISTANCE);
  });

  /** Rows that are planted, each as near as can be, and which of them may never be shown for the asked scan. */
  const plants: [string, () => Promise<{ planted: KnownScanRow[]; linked: number[]; asking?: Partial<Asked> }>][] = [
    ["the scan itself", async () => ({ planted: [row({ ...asked.pages[0] })], linked: [0] })],
    ["its mirror image, encoded anew", async () => ({ planted: [row({ ...near })], linked: [0] })],
    ...[90, 180, 270].map((angle): (typeof plants)[number] => [
      `a copy turned by ${angle} degrees, mirrored and encoded anew`,
      async () => ({
        planted: [row({ ...(await slice(1, 0.1, (image) => mirrored(image.rotate(angle)))) })],
        linked: [0],
      }),
    ]),
    [
      "slices of the patient of an equal picture",
      async () => ({
        planted: [row({ ...asked.pages[0], patient: "p" }), row({ ...(await slice(1, 0.5)), patient: "p" })],
        linked: [0, 1],
      }),
    ],
    [
      "the group of a near-duplicate, of whatever patient",
      async () => ({
        planted: [row({ ...near, group: "g" }), row({ ...(await slice(5, 0.5)), group: "g" })],
        linked: [0, 1],
      }),
    ],
    [
      "what a picture without a label links it to, by its patient and by its group, one after the other",
      async () => ({
        planted: [
          row({ ...near, label: null, features: [], group: "g" }),
          row({ label: null, features: [], group: "g", patient: "p" }),
          row({ ...(await slice(6, 0.5)), patient: "p", group: "h" }),
          row({ ...(await slice(7, 0.5)), group: "h" }),
        ],
        linked: [2, 3],
      }),
    ],
    [
      "slices of a patient whose pseudonym comes with the scan",
      async () => ({ planted: [row({ patient: "p" })], linked: [0], asking: { patient: "p" } }),
    ],
    [
      "what is linked to any of its pages",
      async () => ({
        planted: [row({ ...near, group: "g" }), row({ group: "g" })],
        linked: [0, 1],
        asking: { pages: [await slice(3, 0.6), ...asked.pages] },
      }),
    ],
    [
      "a second name of a linked picture, in another group",
      async () => {
        const page = await slice(8, 0.5);
        return {
          planted: [row({ ...near, group: "g" }), row({ ...page, group: "g" }), row({ ...page, group: "x" })],
          linked: [0, 1],
        };
      },
    ],
  ];
  test.each(plants)("%s", async (_, plant) => {
    const { planted, linked, asking } = await plant();
    const known = KnownScans.of([...OTHERS, ...planted]);
    const forbidden = linked.map((i) => planted[i]?.id as string);
    const everything = await idsOf(known, other);
    // They are there, and as near as can be, for any other scan.
    expect(everything).toEqual(expect.arrayContaining(forbidden));
    const found = await known.similarTo({ ...asked, ...asking }, 50);
    expect(found.scans.map(({ id }) => id).sort()).toEqual(everything.filter((id) => !forbidden.includes(id)));
    expect(found.excluded).toBe(forbidden.length);
  });
});

test("the nearest come first, with label, split and how near they are; no more than asked for", async () => {
  const known = KnownScans.of([...OTHERS, row({ features: [1, 0.5], split: "test", label: "Non-Cancer" })]);
  const { scans, excluded } = await known.similarTo(
    { features: [1, 0.5], pages: [{ sha256: "x", phash: "f".repeat(64) }] },
    2,
  );
  expect(scans).toHaveLength(2);
  expect(scans[0]).toMatchObject({ label: "Non-Cancer", split: "test" });
  expect(scans[0]?.similarity).toBeCloseTo(1, 6);
  expect(scans[1]?.similarity).toBeLessThan(1);
  expect(excluded).toBe(0);
});

test("what cannot be used is left out and counted, and stops nothing: features of another length, labels that contradict, no label, no split, a hash that is none", async () => {
  const twice = row({});
  const known = KnownScans.of([
    ...OTHERS,
    row({ features: [1, 2, 3] }),
    row({ features: [Number.NaN, 1] }),
    twice,
    row({ sha256: twice.sha256, label: "Non-Cancer" }),
    row({ label: null }),
    row({ split: "nonsense", phash: "no hash" }),
    row({ features: [] }),
  ]);
  expect(known.size).toBe(OTHERS.length + 1);
  expect(known.leftOut).toEqual({ badFeatures: 2, contradicting: 1 });
  expect(known.find(twice.id)).toBeUndefined();
  expect(await idsOf(known, { features: FEATURES, pages: [] })).toHaveLength(known.size);
  expect(KnownScans.of([]).size).toBe(0);
});

test("of more than there is room for, groups are taken in whole: the last, which may have been cut, is not", () => {
  const rows = ["a", "a", "b", "c", "c"].map((group) => row({ group }));
  const cut = KnownScans.of(rows, 5);
  expect([cut.isComplete, cut.size]).toEqual([false, 3]);
  expect(rows.map(({ id }) => cut.find(id) !== undefined)).toEqual([true, true, true, false, false]);
  const whole = KnownScans.of(rows, 6);
  expect([whole.isComplete, whole.size]).toEqual([true, 5]);
});
