import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigurationError } from "../platform/config";
import { isRunning, startOfProcess } from "../platform/running";

/** Keeps a second gateway out of a folder: it would take what the first is receiving for what a dead one left. */
export class SpoolLock {
  private constructor(private readonly file: string) {}

  /** @throws {ConfigurationError} where one that runs has it */
  static async take(folder: string): Promise<SpoolLock> {
    const file = join(folder, "lock");
    for (;;) {
      try {
        await writeFile(file, `${process.pid} ${startOfProcess(process.pid)}\n`, { flag: "wx", mode: 0o600 });
        return new SpoolLock(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const [pid, start = ""] = (await readFile(file, "utf8").catch(() => "")).trim().split(" ");
      if (Number(pid) > 0 && isRunning(Number(pid), start))
        throw new ConfigurationError("The gateway", [
          `process ${pid} works in ${folder} already. Stop it first, or give this one another folder.`,
        ]);
      await rm(file, { force: true });
    }
  }

  async release(): Promise<void> {
    await rm(this.file, { force: true });
  }
}
