/** Frames of a file that are looked at: the first, the last, and some between, evenly. Scanners write into all or none. */
const MOST_FRAMES = 24;

/** @param page from 1 */
export function isLookedAt(page: number, pages: number): boolean {
  const share = (of: number) => Math.floor((of * (MOST_FRAMES - 1)) / pages);
  return page === 1 || page === pages || pages <= MOST_FRAMES || share(page - 1) !== share(page - 2);
}
