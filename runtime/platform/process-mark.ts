import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { hostname } from "node:os";
import { DAY_MS } from "./day";
import { isRunning, startOfProcess } from "./running";

const HOST = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
/** This process, told apart from a later one with the same number (containers count from 1). */
export const PROCESS = `${HOST}-${process.pid}-${startOfProcess(process.pid)}`;

/**
 * True for what a process that is gone left behind, a file or folder whose name begins with {@link PROCESS}. Another
 * machine's processes cannot be asked: a day must pass.
 */
export function isAbandoned(task: string, path: string): boolean {
  const [host, pid, start] = task.split("-");
  if (host !== HOST) {
    const folder = statSync(path, { throwIfNoEntry: false });
    return folder !== undefined && Date.now() - folder.mtimeMs > DAY_MS;
  }
  if (task.startsWith(`${PROCESS}-`)) return false;
  return !isRunning(Number(pid), start ?? "");
}
