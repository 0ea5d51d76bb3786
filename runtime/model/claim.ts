/**
 * Who has a task: it waits, a worker has begun it, or whoever asked has left. One 32-bit number that both threads see, so
 * that a task that nobody waits for is never begun, and one that was begun is left at the next page.
 */
export type Claim = Int32Array<SharedArrayBuffer>;

const [WAITING, BEGUN, LEFT] = [0, 1, 2] as const;

export const newClaim = (): Claim => new Int32Array(new SharedArrayBuffer(4));

/** Thrown inside a worker where nobody waits for the result any more. */
export class Abandoned extends Error {}

/** @throws {Abandoned} */
export function begin(claim: Claim): void {
  if (Atomics.compareExchange(claim, 0, WAITING, BEGUN) === LEFT) throw new Abandoned();
}

/** @returns whether the task had not begun yet */
export function leave(claim: Claim): boolean {
  return Atomics.exchange(claim, 0, LEFT) === WAITING;
}

export const isAbandoned = (claim: Claim): boolean => Atomics.load(claim, 0) === LEFT;
