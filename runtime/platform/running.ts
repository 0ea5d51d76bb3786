import { readFileSync } from "node:fs";

/**
 * Start of a process in clock ticks since boot, where the system tells (proc(5), field 22); else 0. It tells a process from a
 * later one with the same number: containers count from 1.
 */
export function startOfProcess(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
  } catch {
    return "0";
  }
}

/** Whether a process of this machine that began then still runs. */
export function isRunning(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return start === startOfProcess(pid);
}
