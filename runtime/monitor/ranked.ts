/** Values of a list; beyond that it is cut in two. */
const LONGEST = 512;

/** A bag of numbers that says how many of its members are less than, and equal to, a value. Adding takes about a microsecond. */
export class RankedBag {
  /** Ascending lists, ascending among each other. */
  private readonly lists: number[][] = [];

  private count = 0;

  constructor(values: Iterable<number> = []) {
    const sorted = [...values].sort((a, b) => a - b);
    for (let start = 0; start < sorted.length; start += LONGEST / 2)
      this.lists.push(sorted.slice(start, start + LONGEST / 2));
    this.count = sorted.length;
  }

  get size(): number {
    return this.count;
  }

  add(value: number): void {
    this.count++;
    const at = Math.max(
      0,
      this.lists.findIndex((list) => (list.at(-1) as number) >= value),
    );
    const last = this.lists.at(-1);
    const index = last && (last.at(-1) as number) < value ? this.lists.length - 1 : at;
    const list = this.lists[index];
    if (!list) {
      this.lists.push([value]);
      return;
    }
    list.splice(placeOf(list, value, false), 0, value);
    if (list.length > LONGEST) this.lists.splice(index + 1, 0, list.splice(LONGEST / 2));
  }

  /** How many members are less than the value, and how many are not greater. */
  rank(value: number): { readonly less: number; readonly notGreater: number } {
    let less = 0;
    let notGreater = 0;
    for (const list of this.lists) {
      if ((list[0] as number) > value) break;
      const end = list.at(-1) as number;
      less += end < value ? list.length : placeOf(list, value, false);
      notGreater += end <= value ? list.length : placeOf(list, value, true);
    }
    return { less, notGreater };
  }
}

/** The first place of an ascending list that is not less than the value; with `after`, that is greater. */
function placeOf(list: readonly number[], value: number, after: boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const member = list[middle] as number;
    if (member < value || (after && member === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
