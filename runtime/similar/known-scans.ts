import { setImmediate } from "node:timers/promises";
import { NEAR_DUPLICATE_DISTANCE, PERCEPTUAL_HASH, packHashes, RECIPE, turnedHash, wordsDistance } from "../imaging";
import { asSplit, LABELS, type Label, type Split } from "../intake";
import { KNOWN_SCANS, type KnownScanRow, MOST_KNOWN_SCANS, type Warehouse } from "../platform/warehouse";
import { FeatureSpace } from "./feature-space";

/** A labelled picture of the data set with what a network sees in it. */
export interface KnownScan {
  /** id of the image, as in images; of several with equal pixels the first. */
  readonly id: string;
  readonly sha256: string;
  readonly label: Label;
  readonly split: Split | null;
}

/** A scan for which similar ones are looked for. */
export interface Asked {
  /** Features of the page that its answer is about. */
  readonly features: ArrayLike<number>;
  /** Every page: SHA-256 of its pixels, and its perceptual hash. */
  readonly pages: readonly { readonly sha256: string; readonly phash: string }[];
  /** Pseudonym of its patient, where it is known. */
  readonly patient?: string | null;
}

export interface SimilarScan extends KnownScan {
  /** -1 to 1, see {@link FeatureSpace}. */
  readonly similarity: number;
}

export interface SimilarScans {
  /** The nearest first. */
  readonly scans: readonly SimilarScan[];
  /** Labelled pictures that are of the same patient as the asked scan, or near-duplicates of it, and are left out. */
  readonly excluded: number;
}

/** What of the rows of a question cannot be used, and is left out. */
export interface LeftOut {
  /** Pictures whose features are no list of as many numbers as most have. */
  readonly badFeatures: number;
  /** Pictures whose names give them both labels. */
  readonly contradicting: number;
}

const HASH = /^[0-9a-f]{64}$/;
const WORDS = 8;

/**
 * The scans of a data set that are known well enough to be shown beside another one: labelled, with a network's features.
 * Beside them it holds of every current image, labelled or not, what makes it the same patient's or the same picture as
 * another: a scan that is asked about may be linked to a labelled one by one that is not.
 *
 * Takes about 1 KB a labelled picture of 128 features, and 60 bytes for each other image.
 */
export class KnownScans {
  /** Labelled pictures with features that people hold for Cancer. */
  readonly cancer: number;

  private constructor(
    /** In the order of {@link space}. */
    private readonly scans: readonly KnownScan[],
    private readonly space: FeatureSpace,
    /** Number of the kin of each scan: images of one patient, of one group, or of equal pixels. */
    private readonly kinOfScan: Int32Array,
    private readonly kinOfPicture: ReadonlyMap<string, number>,
    private readonly kinOfPatient: ReadonlyMap<string, number>,
    /** Of every image that has one, by {@link hashed}; room for another one at the end. */
    private readonly hashes: Uint32Array,
    private readonly kinOfHash: Int32Array,
    private readonly places: ReadonlyMap<string, number>,
    /** Whether all current images were taken in. */
    readonly isComplete: boolean,
    readonly leftOut: LeftOut,
  ) {
    this.cancer = scans.filter(({ label }) => label === "Cancer").length;
  }

  /** What a network's features say of the current images. @param model its id, as it is the backbone of its own features */
  static async load(warehouse: Pick<Warehouse, "ask">, model: string): Promise<KnownScans> {
    const by = { recipe: RECIPE.id, backbone: model, hash: PERCEPTUAL_HASH.id };
    return KnownScans.of(await warehouse.ask(KNOWN_SCANS, by));
  }

  /** @param rows as {@link KNOWN_SCANS} gives them; as many as it can give: not all */
  static of(rows: readonly KnownScanRow[], most = MOST_KNOWN_SCANS): KnownScans {
    const isComplete = rows.length < most;
    // The last group may have been cut, and who is linked to its rest could not be told.
    const last = rows.at(-1)?.group;
    const whole = isComplete ? rows : rows.filter(({ group }) => group !== last);
    const kin = kinOf(whole);
    const hashed = whole.flatMap(({ phash }, row) => (phash !== null && HASH.test(phash) ? [{ phash, row }] : []));
    const { pictures, leftOut } = picturesOf(whole);
    const kinBy = (key: (row: KnownScanRow) => string | null) =>
      new Map(whole.flatMap((row, i) => (key(row) === null ? [] : [[key(row) as string, kin[i] as number] as const])));
    const scans = pictures.map(({ scan }) => scan);
    return new KnownScans(
      scans,
      FeatureSpace.of(pictures.map(({ features }) => features)),
      Int32Array.from(pictures, ({ row }) => kin[row] as number),
      kinBy(({ sha256 }) => sha256),
      kinBy(({ patient }) => patient),
      packHashes([...hashed.map(({ phash }) => phash), "0".repeat(64)]),
      Int32Array.from(hashed, ({ row }) => kin[row] as number),
      new Map(scans.map(({ id }, place) => [id, place])),
      isComplete,
      leftOut,
    );
  }

  /** Labelled pictures with features. */
  get size(): number {
    return this.scans.length;
  }

  /** Numbers of a picture's features. */
  get width(): number {
    return this.space.width;
  }

  find(id: string): KnownScan | undefined {
    const place = this.places.get(id);
    return place === undefined ? undefined : this.scans[place];
  }

  /**
   * The nearest known scans: none of the patient of the asked one, none of whose pictures is a near-duplicate of one of its
   * pages, and none that is in a group with such a scan. Other work of the process goes on meanwhile.
   *
   * @param count at most so many
   * @throws {RangeError} if the features are not as many as the scans have
   */
  async similarTo(asked: Asked, count: number): Promise<SimilarScans> {
    const kin = await this.kinOfAsked(asked);
    const isKin = (place: number) => kin.has(this.kinOfScan[place] as number);
    const nearest = await this.space.nearestInTurns(asked.features, count, (place) => !isKin(place));
    return {
      scans: nearest.map(({ row, similarity }) => ({ ...(this.scans[row] as KnownScan), similarity })),
      excluded: this.kinOfScan.reduce((sum, _, place) => sum + (isKin(place) ? 1 : 0), 0),
    };
  }

  private async kinOfAsked({ pages, patient }: Asked): Promise<ReadonlySet<number>> {
    const kin = new Set<number>();
    const add = (found: number | undefined) => {
      if (found !== undefined) kin.add(found);
    };
    if (patient) add(this.kinOfPatient.get(patient));
    for (const { sha256, phash } of pages) {
      add(this.kinOfPicture.get(sha256));
      const { hashes, kinOfHash } = this;
      const end = kinOfHash.length * WORDS;
      // A copy that somebody turned by a quarter is a copy: mirrorings, and so a half turn, are in the distance.
      for (const one of [phash, turnedHash(phash)]) {
        hashes.set(packHashes([one]), end);
        for (let i = 0; i < kinOfHash.length; i++)
          if (wordsDistance(hashes, i * WORDS, end, NEAR_DUPLICATE_DISTANCE) <= NEAR_DUPLICATE_DISTANCE)
            kin.add(kinOfHash[i] as number);
        await setImmediate();
      }
    }
    return kin;
  }
}

/** A number for each row: the same for rows that are linked by group, patient or pixels, through others too. */
function kinOf(rows: readonly KnownScanRow[]): Int32Array {
  const parent = Int32Array.from(rows.keys());
  const find = (row: number): number => {
    let at = row;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at] as number] as number;
      at = parent[at] as number;
    }
    return at;
  };
  for (const key of ["group", "patient", "sha256"] as const) {
    const first = new Map<string, number>();
    rows.forEach((row, i) => {
      const value = row[key];
      if (value === null) return;
      const earlier = first.get(value);
      if (earlier === undefined) first.set(value, i);
      else parent[find(i)] = find(earlier);
    });
  }
  return parent.map((_, row) => find(row));
}

interface Picture {
  readonly scan: KnownScan;
  /** Of the image that stands for it. */
  readonly row: number;
  readonly features: readonly number[];
}

/** One picture for equal pixels: those with a label and features that can be used. */
function picturesOf(rows: readonly KnownScanRow[]): { readonly pictures: Picture[]; readonly leftOut: LeftOut } {
  const names = new Map<string, number[]>();
  rows.forEach(({ sha256 }, row) => {
    const same = names.get(sha256);
    if (same) same.push(row);
    else names.set(sha256, [row]);
  });
  let contradicting = 0;
  const found: Picture[] = [];
  for (const [sha256, [row = 0, ...others]] of names) {
    const { id, split, features } = rows[row] as KnownScanRow;
    if (features.length === 0) continue;
    const labels = LABELS.filter((label) => [row, ...others].some((name) => rows[name]?.label === label));
    if (labels.length > 1) contradicting++;
    const [label] = labels;
    if (labels.length === 1 && label) found.push({ scan: { id, sha256, label, split: asSplit(split) }, row, features });
  }
  const width = commonest(found.map(({ features }) => features.length));
  const pictures = found.filter(({ features }) => features.length === width && features.every(Number.isFinite));
  return { pictures, leftOut: { badFeatures: found.length - pictures.length, contradicting } };
}

function commonest(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 0;
}
