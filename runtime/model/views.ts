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
    const sized = resized.get(extent) ?? resample(plane, side, extent, "black");
    resized.set(extent, sized);
    shown.set(mirrored(sized, side, mirror), index * plane.length);
  });
}

/**
 * Brings a map of what a view showed back over the image. Where the view did not reach, its edge stands in.
 *
 * @param map side x side, of any side
 */
export function unshowView({ mirror, extent }: View, map: Float32Array, side: number): Float32Array {
  const upright = mirrored(map, side, mirror);
  return extent === 1 ? upright : resample(upright, side, 1 / extent, "mirrored");
}

function mirrored(plane: Float32Array, side: number, axes: View["mirror"]): Float32Array {
  if (axes.length === 0) return plane;
  const [down, across] = [axes.includes(1), axes.includes(2)];
  const result = new Float32Array(plane.length);
  for (let y = 0; y < side; y++) {
    const row = (down ? side - 1 - y : y) * side;
    for (let x = 0; x < side; x++) result[y * side + x] = plane[row + (across ? side - 1 - x : x)] as number;
  }
  return result;
}

/**
 * Bilinear, around the centre: the same places that TensorFlow's cropAndResize reads.
 *
 * @param extent how much of the side is seen
 * @param outside what lies past the middle of the outermost pixels
 */
function resample(plane: Float32Array, side: number, extent: number, outside: "black" | "mirrored"): Float32Array {
  const centre = (side - 1) / 2;
  const places = Array.from({ length: side }, (_, i) => {
    const place = centre + (i - centre) * extent;
    const before = Math.floor(place);
    return { inside: place >= 0 && place <= side - 1, before, share: place - before };
  });
  /** Around the edges the pixels come again, the outermost first. */
  const within = (i: number) => Math.max(0, Math.min(side - 1, i < 0 ? -1 - i : i >= side ? 2 * side - 1 - i : i));
  const result = new Float32Array(plane.length);
  places.forEach((row, y) => {
    if (outside === "black" && !row.inside) return;
    const [top, bottom] = [within(row.before) * side, within(row.before + 1) * side];
    places.forEach((column, x) => {
      if (outside === "black" && !column.inside) return;
      const [left, right] = [within(column.before), within(column.before + 1)];
      const above = mix(plane[top + left] as number, plane[top + right] as number, column.share);
      const below = mix(plane[bottom + left] as number, plane[bottom + right] as number, column.share);
      result[y * side + x] = mix(above, below, row.share);
    });
  });
  return result;
}

const mix = (a: number, b: number, share: number) => a + (b - a) * share;
