import { NEAR_DUPLICATE_DISTANCE, SAME_PICTURE_DISTANCE } from "../../imaging";
import { Layout, startKernel } from "../../platform/web-assembly";
import { KERNEL } from "./kernel.generated";

/** Of a hash: 32-bit words, the first bit in the highest of the first. */
export const WORDS = 8;
const BITS = 256;
/** A hash is cut into as many bands: every 13th bit is of the same one, so that each has low and high frequencies. */
export const BANDS = 13;
/** The longest band. */
const BAND_BITS = Math.ceil(BITS / BANDS);
const KEYS = 2 ** BAND_BITS;
/** Of hashes within the distance, at least one band differs in at most as many bits. */
const RADIUS = Math.floor(NEAR_DUPLICATE_DISTANCE / BANDS);
/** What to XOR to a hash's words to have the hash of the mirrored picture: two of the last three quarters inverted. */
const MIRRORINGS = [
  [0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, -1, -1, 0, 0, -1, -1],
  [0, 0, 0, 0, -1, -1, -1, -1],
  [0, 0, -1, -1, -1, -1, 0, 0],
].map((words) => Uint32Array.from(words));

/** What is searched, see near-duplicates.ts. */
interface Searched {
  /** Of all hashes, {@link WORDS} each. */
  readonly words: Uint32Array;
  readonly fresh: Uint8Array;
  readonly allKnown: Uint8Array;
}

interface Kernel {
  search(places: number, a: bigint, b: bigint, c: bigint, d: bigint, count: number): number;
}

/** The index of one band after the other, and what is looked up in it: `kernel.wat`. About 60 bytes a hash. */
export class BandSearch {
  private readonly bandKeys: Uint32Array;
  private readonly hashes: Uint32Array;
  private readonly keys: Uint32Array;
  private readonly members: Uint32Array;
  private readonly fresh: Uint8Array;
  private readonly strict: Uint8Array;
  private readonly starts: Uint32Array;
  private readonly turns: Uint32Array;
  private readonly groups: Uint32Array;
  private readonly turnsAt: number;
  private readonly found: Uint32Array;
  private readonly kernel: Kernel;
  private pairCount = 0;

  constructor(private readonly pictures: Searched) {
    const count = pictures.fresh.length;
    const addresses = new Layout();
    const take = (bytes: number) => addresses.take(bytes);
    const at = {
      hashes: take(4 * WORDS * count),
      keys: take(4 * count),
      members: take(4 * count),
      fresh: take(count),
      strict: take(count),
      starts: take(4 * (KEYS + 1)),
      turns: take(4 * turnsWithin(RADIUS, BAND_BITS).length),
      groups: take(4 * (BAND_BITS + 2)),
      parents: take(4 * count),
      // A pair unites two sets, so there are fewer of them than pictures.
      pairs: take(8 * count),
    };
    const memory = addresses.memory();
    const array = (from: number, length: number) => new Uint32Array(memory.buffer, from, length);
    this.bandKeys = new Uint32Array(count);
    this.hashes = array(at.hashes, WORDS * count);
    this.keys = array(at.keys, count);
    this.members = array(at.members, count);
    this.fresh = new Uint8Array(memory.buffer, at.fresh, count);
    this.strict = new Uint8Array(memory.buffer, at.strict, count);
    this.starts = array(at.starts, KEYS + 1);
    this.turns = array(at.turns, (at.groups - at.turns) / 4);
    this.groups = array(at.groups, BAND_BITS + 2);
    this.turnsAt = at.turns;
    this.found = array(at.pairs, 2 * count);
    const parents = array(at.parents, count);
    for (let i = 0; i < count; i++) parents[i] = i;
    const settings = {
      near: BigInt(NEAR_DUPLICATE_DISTANCE),
      same: BigInt(SAME_PICTURE_DISTANCE),
      all_fresh: pictures.fresh.includes(0) ? 0 : 1,
    };
    const layout = { memory, ...at, ...settings };
    this.kernel = startKernel<Kernel>(KERNEL, layout);
  }

  /** Unites the pictures that a band, 0 to 12, shows to be near; in four steps. */
  *lookUp(band: number): Generator<undefined> {
    this.index(band);
    for (const mirroring of MIRRORINGS) {
      this.turnBy(bandKey(mirroring, 0, band), Math.ceil((BITS - band) / BANDS));
      const [a, b, c, d] = new BigUint64Array(mirroring.buffer) as unknown as readonly [bigint, bigint, bigint, bigint];
      this.pairCount = this.kernel.search(this.bandKeys.length, a, b, c, d, this.pairCount);
      yield;
    }
  }

  /** Two positions each, so many that everything which is near is connected. */
  get pairs(): Uint32Array {
    return this.found.subarray(0, 2 * this.pairCount);
  }

  /** Puts everything into the order of a band's values: what one hash looks up then lies beside what the one before did. */
  private index(band: number): void {
    const { bandKeys, members } = this;
    const { words, fresh, allKnown } = this.pictures;
    for (let i = 0; i < bandKeys.length; i++) bandKeys[i] = bandKey(words, i * WORDS, band);
    sortByKey(bandKeys, this.starts, members);
    for (let place = 0; place < members.length; place++) {
      const i = members[place] as number;
      for (let w = 0; w < WORDS; w++) this.hashes[place * WORDS + w] = words[i * WORDS + w] as number;
      this.keys[place] = bandKeys[i] as number;
      this.fresh[place] = fresh[i] as number;
      this.strict[place] = allKnown[i] as number;
    }
  }

  /** What to look up: all values within the radius of the mirrored one, by the highest bit that differs from the value itself. */
  private turnBy(mirrored: number, bits: number): void {
    const turns = turnsWithin(RADIUS, bits).map((turn) => turn ^ mirrored);
    const highest = (turn: number) => (turn === 0 ? BAND_BITS : 31 - Math.clz32(turn));
    turns.sort((one, other) => highest(one) - highest(other));
    this.turns.set(turns);
    for (let bit = 0; bit < this.groups.length; bit++)
      this.groups[bit] = this.turnsAt + 4 * turns.filter((turn) => highest(turn) < bit).length;
  }
}

/** The bits of a band as a number. */
function bandKey(words: Uint32Array, at: number, band: number): number {
  let key = 0;
  for (let bit = band; bit < BITS; bit += BANDS) {
    key = (key << 1) | (((words[at + (bit >>> 5)] as number) >>> (31 - (bit & 31))) & 1);
  }
  return key;
}

/** Counting sort: `members` from `starts[key]` to `starts[key + 1]` are the positions whose key it is. */
function sortByKey(keys: Uint32Array, starts: Uint32Array, members: Uint32Array): void {
  starts.fill(0);
  for (let i = 0; i < keys.length; i++) {
    const next = (keys[i] as number) + 1;
    starts[next] = (starts[next] as number) + 1;
  }
  for (let key = 1; key < starts.length; key++) starts[key] = (starts[key] as number) + (starts[key - 1] as number);
  const next = starts.slice();
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as number;
    members[next[key] as number] = i;
    next[key] = (next[key] as number) + 1;
  }
}

/** All numbers of so many bits of which at most `most` are 1. */
function turnsWithin(most: number, bits: number): number[] {
  const turns: number[] = [];
  const flip = (value: number, left: number, from: number) => {
    turns.push(value);
    if (left > 0) for (let bit = from; bit < bits; bit++) flip(value | (1 << bit), left - 1, bit + 1);
  };
  flip(0, most, 0);
  return turns;
}
