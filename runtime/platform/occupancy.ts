import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAbandoned, PROCESS } from "./process-mark";

/** Where those who work on a workspace say so, each by a file of its own. */
const BUSY = ".store/busy";

/**
 * Works on a workspace beside others; for what takes things away, alone; or once: beside all but another of its kind. Each says first that it is there and looks
 * then: of two that begin at once, none goes on unseen. Who has died is not there.
 *
 * @param directory of the workspace
 * @param work a step's name, in small letters and hyphens
 * @throws {Error} a sentence, where others are at work that this may not run beside
 */
export async function occupying<T>(
  directory: string,
  work: string,
  alone: boolean | "once",
  run: () => Promise<T>,
): Promise<T> {
  const folder = join(directory, BUSY);
  mkdirSync(folder, { recursive: true });
  const mine = alone === "once" ? alone : alone ? "alone" : "beside";
  const mark = `${PROCESS}-${mine}-${work}`;
  writeFileSync(join(folder, mark), "");
  try {
    for (const other of readdirSync(folder)) {
      if (other === mark) continue;
      const path = join(folder, other);
      if (isAbandoned(other, path)) {
        rmSync(path, { force: true });
        continue;
      }
      const [, , , how, ...name] = other.split("-");
      const isTwin = mine === "once" && how === "once" && name.join("-") === work;
      if (mine !== "alone" && how !== "alone" && !isTwin) continue;
      throw new Error(
        `${name.join("-")} is at work on ${directory}, and ${work} cannot run beside it. Wait until it is done, or stop it; then give the same command again.`,
      );
    }
    return await run();
  } finally {
    rmSync(join(folder, mark), { force: true });
  }
}
