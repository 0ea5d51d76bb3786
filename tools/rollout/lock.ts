import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "../../runtime/platform/config";

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When its process began, which tells it from a later one of the same number; empty where the system does not say. */
  readonly began: string;
}

/**
 * Keeps a folder to this process until it is released. One whose process has ended without releasing it is taken over.
 *
 * @throws {ConfigurationError} while another process has it
 */
export function lockFolder(folder: string): { release(): void } {
  const path = join(folder, "rollout.lock");
  const own: Holder = { pid: process.pid, host: hostname(), began: beginningOf(process.pid) ?? "" };
  const mine = join(folder, `rollout.lock.${process.pid}`);
  writeFileSync(mine, JSON.stringify(own));
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        // A link is made whole or not at all, and never over another.
        linkSync(mine, path);
        return { release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const text = readText(path);
      if (text === undefined) continue;
      const holder = parse(text);
      if (!holder || holder.host !== own.host || beginningOf(holder.pid) === holder.began) throw taken(folder, holder);
      takeAway(path, text, `${mine}.stale`);
    }
    throw taken(folder, undefined);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Of two who find a lock of a dead process one takes it away; the other may only find the new lock, and puts it back. */
function takeAway(path: string, stale: string, aside: string): void {
  try {
    renameSync(path, aside);
    if (readText(aside) !== stale) linkSync(aside, path);
  } catch {
    // Another was faster.
  } finally {
    rmSync(aside, { force: true });
  }
}

function taken(folder: string, holder: Holder | undefined): ConfigurationError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : "another process";
  return new ConfigurationError("The folder of the roll-out", [
    `${folder} is in use by ${who}: wait for it, or name another with --out. If that process is gone, delete ${join(folder, "rollout.lock")}.`,
  ]);
}

/** Undefined for a process that is not there. */
function beginningOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // proc(5): after the name, which may hold anything, the twentieth is the start.
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  try {
    process.kill(pid, 0);
    return "";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? "" : undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, host, began } = JSON.parse(text) as Partial<Holder>;
    return typeof pid === "number" && typeof host === "string" && typeof began === "string"
      ? { pid, host, began }
      : undefined;
  } catch {
    return undefined;
  }
}
