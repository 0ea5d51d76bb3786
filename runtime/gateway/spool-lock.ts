import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigurationError } from "../platform/config";
import { isRunning, startOfProcess } from "../platform/running";

/** `lock-<process>-<its start>` */
const MARK = /^lock-(\d+)-(\d+)$/;
/** Of two that begin at once, one withdraws; so long the other waits for it, milliseconds. */
const WITHDRAWAL = { look: 100, looks: 20 } as const;

/**
 * Keeps a second gateway out of a folder: it would take what the first is receiving for what a dead one left. Each says first
 * that it is there, by a file of its own, and looks then: of two that begin at once none goes on unseen, and no file of one
 * that runs is ever taken away by another.
 */
export class SpoolLock {
  private constructor(private readonly file: string) {}

  /** @throws {ConfigurationError} where one that runs has it */
  static async take(folder: string): Promise<SpoolLock> {
    const own = `lock-${process.pid}-${startOfProcess(process.pid)}`;
    const file = join(folder, own);
    try {
      await writeFile(file, "", { flag: "wx", mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") throw taken(folder, own);
      throw error;
    }
    try {
      for (let look = 0; ; look++) {
        const [other] = await livingBeside(folder, own);
        if (other === undefined) return new SpoolLock(file);
        // The one whose name comes first stays, if the other has only begun as well.
        if (other < own || look === WITHDRAWAL.looks) throw taken(folder, other);
        await sleep(WITHDRAWAL.look);
      }
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }

  async release(): Promise<void> {
    await rm(this.file, { force: true });
  }
}

/** Marks of other gateways that run, in order; those of dead ones are taken away. */
async function livingBeside(folder: string, own: string): Promise<readonly string[]> {
  const living: string[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const [, pid, start = ""] = MARK.exec(name) ?? [];
    if (pid === undefined || name === own) continue;
    if (isRunning(Number(pid), start)) living.push(name);
    else await rm(join(folder, name), { force: true });
  }
  return living;
}

const taken = (folder: string, mark: string) =>
  new ConfigurationError("The gateway", [
    `process ${MARK.exec(mark)?.[1]} works in ${folder} already. Stop it first, or give this one another folder.`,
  ]);
