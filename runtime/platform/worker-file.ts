import { existsSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** The repository's root, seen from this file in source form. */
const ROOT = join(__dirname, "..", "..");

/**
 * The compiled JavaScript of a worker. A worker thread is started by Node itself, which does not read TypeScript: seen
 * from a source file (as in tests) it is the file that the build emitted.
 *
 * @param directory `__dirname` of the module beside the worker
 * @param name of the worker's file, without extension
 */
export function workerFile(directory: string, name: string): string {
  const beside = join(directory, `${name}.js`);
  if (existsSync(beside)) return beside;
  const emitted = join(ROOT, "dist", relative(ROOT, directory).split(sep).join("/"), `${name}.js`);
  if (existsSync(emitted)) return emitted;
  throw new Error(`The worker ${name} is not compiled: ${emitted} does not exist. Run npm run build first.`);
}

/** A copy that all threads share. */
export function sharedCopy(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
