/**
 * Whether somebody still waits for a task: 0, or 1 once whoever asked has left. A number that both threads see, so that a
 * task that nobody waits for is never begun, and one that was begun is left at the next page.
 */
export type Claim = Int32Array<SharedArrayBuffer>;

const LEFT = 1;

export const newClaim = (): Claim => new Int32Array(new SharedArrayBuffer(4));

/** Thrown inside a worker where nobody waits for the result any more. */
export class Abandoned extends Error {}

/** @throws {Abandoned} if nobody waits for the task any more */
export function checkClaim(claim: Claim): void {
  if (Atomics.load(claim, 0) === LEFT) throw new Abandoned();
}

/** Says that nobody waits for the task any more. */
export function leave(claim: Claim): void {
  Atomics.store(claim, 0, LEFT);
}
