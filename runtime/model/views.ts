import type { ModelMetadata } from "./metadata";

/** One way of showing an image. */
export interface View {
  /** Axes of [n, rows, columns, channels] that it is mirrored along. */
  readonly mirror: readonly (1 | 2)[];
  /** How much of the image's side is seen: below 1 the middle fills the square, above 1 the image has a black margin. */
  readonly extent: number;
}

/** What a model is shown of one image. Its answer is the mean over them. */
export type Views = NonNullable<ModelMetadata["views"]>;

const MIRRORS = [[], [2], [1], [1, 2]] as const;
const at = (extent: number): readonly View[] => MIRRORS.map((mirror) => ({ mirror, extent }));

const VIEWS: Readonly<Record<Views, readonly View[]>> = {
  plain: [{ mirror: [], extent: 1 }],
  /** As it is, left-right, upside-down, and both: the mirror images that training shows too. */
  mirrored: at(1),
  /**
   * These at two sizes that training shows too. Training never shows an image as it is: turned and shifted, its pixels lie
   * between those of the file, so that it is softer. Shown as sharp as the file, it looks different (Touvron et al. 2019,
   * https://arxiv.org/abs/1906.06423).
   */
  "mirrored-two-sizes": [...at(0.9), ...at(1.1)],
};

export const viewsOf = (views: Views = "plain"): readonly View[] => VIEWS[views];

/**
 * Every view of an image, one after the other. Outside of the image a view is black.
 *
 * @param plane side x side, row by row
 * @param shown receives as many planes as there are views
 */
export function showViews(views: readonly View[], plane: Float32Array, side: number, shown: Float32Array): void {
  const resized = new Map<number, Float32Array>([[1, plane]]);
  views.forEach(({ mirror, extent }, index) => {
    const sized = resized.get(extent) ?? resample(plane, placesOf(side, extent, "black"));
    resized.set(extent, sized);
    mirrorInto(shown.subarray(index * plane.length, (index + 1) * plane.length), sized, side, mirror);
  });
}

/**
 * Brings a map of what a view showed back over the image. Where the view did not reach, its edge stands in.
 *
 * @param map side x side, of any side
 */
export function unshowView({ mirror, extent }: View, map: Float32Array, side: number): Float32Array {
  const upright = new Float32Array(map.length);
  mirrorInto(upright, map, side, mirror);
  return extent === 1 ? upright : resample(upright, placesOf(side, 1 / extent, "mirrored"));
}

function mirrorInto(result: Float32Array, plane: Float32Array, side: number, axes: View["mirror"]): void {
  const [down, across] = [axes.includes(1), axes.includes(2)];
  // Backwards from the last pixel to the first, a plane is mirrored along both.
  if (down === across) result.set(plane);
  else
    for (let row = 0; row < plane.length; row += side)
      result.set(plane.subarray(row, row + side), plane.length - side - row);
  if (across) result.reverse();
}

/** Where each place of a line of the result lies between two of the source: `before + (after - before) * share`. */
interface Places {
  readonly side: number;
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly share: Float64Array;
  /** The first place of the result that is not black, and the one after the last of them. */
  readonly first: number;
  readonly end: number;
}

const known = new Map<string, Places>();

/**
 * Around the centre: the same places that TensorFlow's cropAndResize reads.
 *
 * @param extent how much of the side is seen
 * @param outside what lies past the middle of the outermost pixels
 */
function placesOf(side: number, extent: number, outside: "black" | "mirrored"): Places {
  const key = `${side} ${extent} ${outside}`;
  const places = known.get(key) ?? findPlaces(side, extent, outside);
  known.set(key, places);
  return places;
}

function findPlaces(side: number, extent: number, outside: "black" | "mirrored"): Places {
  const centre = (side - 1) / 2;
  /** Around the edges the pixels come again, the outermost first. */
  const within = (i: number) => Math.max(0, Math.min(side - 1, i < 0 ? -1 - i : i >= side ? 2 * side - 1 - i : i));
  const places = Array.from({ length: side }, (_, i) => centre + (i - centre) * extent);
  const seen = places.map((place) => outside === "mirrored" || (place >= 0 && place <= side - 1));
  return {
    side,
    before: Int32Array.from(places, (place) => within(Math.floor(place))),
    after: Int32Array.from(places, (place) => within(Math.floor(place) + 1)),
    share: Float64Array.from(places, (place) => place - Math.floor(place)),
    first: Math.max(0, seen.indexOf(true)),
    end: seen.lastIndexOf(true) + 1,
  };
}

/** Bilinear: first along the rows, then down the columns. */
function resample(plane: Float32Array, { side, before, after, share, first, end }: Places): Float32Array {
  const lines = new Float64Array(plane.length);
  for (let y = 0; y < side; y++) {
    const row = y * side;
    for (let x = first; x < end; x++) {
      const left = plane[row + (before[x] as number)] as number;
      const right = plane[row + (after[x] as number)] as number;
      lines[row + x] = left + (right - left) * (share[x] as number);
    }
  }
  const result = new Float32Array(plane.length);
  for (let y = first; y < end; y++) {
    const [row, above, below] = [y * side, (before[y] as number) * side, (after[y] as number) * side];
    const down = share[y] as number;
    for (let x = first; x < end; x++) {
      const top = lines[above + x] as number;
      result[row + x] = top + ((lines[below + x] as number) - top) * down;
    }
  }
  return result;
}
