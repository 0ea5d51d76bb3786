import { setImmediate as nextTurn } from "node:timers/promises";

/** Awaited between two parts of a long computation, none of which takes more than a second or two. @throws what it was stopped with */
export type Pause = () => Promise<void>;

/** What is computed without a pause lets nobody be heard: in one, whoever wants to stop is. */
export const pausing =
  (signal: AbortSignal | undefined): Pause =>
  async () => {
    await nextTurn();
    signal?.throwIfAborted();
  };

/** Where nobody can stop it. */
export const unheard: Pause = async () => undefined;
