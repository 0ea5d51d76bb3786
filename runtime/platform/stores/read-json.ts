import type { ReadableStore } from "./object-store";

/**
 * An object that is JSON, as it was written: who reads it checks what it is.
 *
 * @throws {ObjectNotFoundError} if there is none
 * @throws {SyntaxError} if it is no JSON
 */
export async function readJson(store: Pick<ReadableStore, "read">, name: string): Promise<unknown> {
  return JSON.parse((await store.read(name)).toString("utf8"));
}
