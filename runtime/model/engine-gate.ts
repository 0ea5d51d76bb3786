import { setTimeout as sleep } from "node:timers/promises";
import { Abandoned } from "./claim";

/**
 * Lets threads into onnxruntime until their pool is closed. A thread that is ended while it is in there takes the whole
 * process with it: an uncaught `Napi::Error`, and SIGABRT. Two 32-bit numbers that all threads see.
 */
export type EngineGate = Int32Array<SharedArrayBuffer>;

const [SHUT, INSIDE] = [0, 1] as const;
/** Milliseconds between two looks at whether all have come out, and in all: one that died inside never comes. */
const LOOK = 2;
const MOST = 10_000;

export const newEngineGate = (): EngineGate => new Int32Array(new SharedArrayBuffer(8));

/** Does work in onnxruntime. @throws {Abandoned} if the gate is shut */
export async function inside<T>(gate: EngineGate, work: () => Promise<T>): Promise<T> {
  // Counted before it looks: whoever shuts the gate and then counts has seen this thread, or it sees that it is shut.
  Atomics.add(gate, INSIDE, 1);
  try {
    if (Atomics.load(gate, SHUT) !== 0) throw new Abandoned();
    return await work();
  } finally {
    Atomics.sub(gate, INSIDE, 1);
  }
}

/** Lets nobody in any more. @returns once all have come out */
export async function shut(gate: EngineGate): Promise<void> {
  Atomics.store(gate, SHUT, 1);
  for (let waited = 0; Atomics.load(gate, INSIDE) > 0 && waited < MOST; waited += LOOK) await sleep(LOOK);
}
