/** A page, and the box in it that the model was shown, pixels of the page. */
export interface Foreground {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly page: { readonly width: number; readonly height: number };
}

/** Share of the way from the middle of the foreground to its edge at which the map begins to fade. */
const FULL = 0.75;

/**
 * How much of the map is drawn, by place of the page (pixels, centre of the first at 0.5): 1 inside the foreground, 0 at
 * its edge and outside, smooth between. There the map ends and the evidence need not: a hard edge would pass for a
 * finding. The corners are round (a superellipse of degree 4), as heads are. Where the foreground ends with the page there
 * is no such edge, and nothing fades towards it.
 */
export function fading({ left, top, width, height, page }: Foreground): (x: number, y: number) => number {
  const across = towardsEdge(left, width, page.width);
  const down = towardsEdge(top, height, page.height);
  return (x, y) => {
    const u = across(x) ** 2;
    const v = down(y) ** 2;
    const t = Math.min(1, Math.max(0, (1 - Math.sqrt(Math.sqrt(u * u + v * v))) / (1 - FULL)));
    return t * t * (3 - 2 * t);
  };
}

/** 0 in the middle of a length, 1 at its ends, more beyond; 0 on a side that ends with the page. */
function towardsEdge(from: number, length: number, page: number): (at: number) => number {
  return (at) => {
    const way = (2 * (at - from)) / length - 1;
    if (way < 0) return from > 0 ? -way : 0;
    return from + length < page ? way : 0;
  };
}
