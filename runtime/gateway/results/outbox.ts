import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { studyAnswerSchema } from "../../study";
import { syncFolder } from "../fsync";

/** An answer on its way to one destination. No name is in it: those are put in when it is sent. */
const jobSchema = z.object({
  /** Id of the destination. */
  to: z.string().regex(/^[0-9a-f]{16}$/),
  answer: studyAnswerSchema,
  /** When it came to wait, milliseconds. */
  since: z.int(),
  /** That failed. */
  attempts: z.int().min(0),
});
export type Job = Readonly<z.infer<typeof jobSchema>>;

const seenSchema = z.object({
  /** The last revision that was looked at. */
  revision: z.int().min(0),
  /** Slices of which an answer was handed on. */
  pictures: z.array(z.string()),
});
/** How far the answers of a study were looked at. */
export type Seen = Readonly<z.infer<typeof seenSchema>>;

const QUEUE = "queue";
const SENT = "sent";
const DEAD = "dead";
const SEEN = "seen";
const ENDING = ".json";

/**
 * Answers that are to be handed on, in files that are made whole and then renamed from one folder to the next, so that a
 * death leaves each in one of them:
 *
 *     queue/   waits for its destination
 *     sent/    its destination has it
 *     dead/    given up, with the reason beside it; moved to queue/ by hand, it is tried again
 *     seen/    a file a study: how far its answers were looked at
 */
export class Outbox {
  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<Outbox> {
    for (const name of [QUEUE, SENT, DEAD, SEEN]) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
    return new Outbox(folder);
  }

  async seen(study: string): Promise<Seen> {
    const text = await readIfThere(join(this.folder, SEEN, `${study}${ENDING}`));
    return text === undefined ? { revision: 0, pictures: [] } : seenSchema.parse(JSON.parse(text));
  }

  async see(study: string, seen: Seen): Promise<void> {
    await this.write(SEEN, `${study}${ENDING}`, seen);
  }

  /** Puts an answer into the queue, unless it is there, was sent, or was given up. */
  async add(job: Job): Promise<void> {
    const name = nameOf(job);
    for (const folder of [QUEUE, SENT, DEAD])
      if ((await readIfThere(join(this.folder, folder, name))) !== undefined) return;
    await this.write(QUEUE, name, job);
  }

  /** Those that wait, those that waited longest first. A file that is none is passed over, and named by `damaged`. */
  async waiting(): Promise<{ readonly jobs: readonly Job[]; readonly damaged: readonly string[] }> {
    const jobs: Job[] = [];
    const damaged: string[] = [];
    for (const name of await readdir(join(this.folder, QUEUE))) {
      if (!name.endsWith(ENDING)) continue;
      const text = await readIfThere(join(this.folder, QUEUE, name));
      const job = text === undefined ? undefined : parsed(text);
      if (job && nameOf(job) === name) jobs.push(job);
      else if (text !== undefined) damaged.push(name);
    }
    return { jobs: jobs.sort((a, b) => a.since - b.since || (nameOf(a) < nameOf(b) ? -1 : 1)), damaged };
  }

  /** Paths of a study's answers, those on their way before those handed on. */
  async answersOf(study: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const folder of [QUEUE, SENT, DEAD])
      for (const name of await this.named(folder, study)) found.push(join(this.folder, folder, name));
    return found;
  }

  /** Paths of everything that is kept of a study. */
  async of(study: string): Promise<readonly string[]> {
    const seen = join(this.folder, SEEN, `${study}${ENDING}`);
    return [...(await this.answersOf(study)), ...((await readIfThere(seen)) === undefined ? [] : [seen])];
  }

  /**
   * Before the answers of a study go that stays: all revisions are looked at again, as their numbers begin anew where the
   * cloud forgets too, and none is handed on of slices of which one was sent or given up.
   */
  async lookAgain(study: string): Promise<void> {
    const picturesIn = async (folder: string) =>
      (await this.named(folder, study)).map((name) => name.slice(study.length + 1, name.lastIndexOf("-")));
    const ended = [...(await picturesIn(SENT)), ...(await picturesIn(DEAD))];
    const waiting = new Set(await picturesIn(QUEUE));
    const { pictures } = await this.seen(study);
    await this.see(study, {
      revision: 0,
      pictures: [...new Set([...pictures.filter((one) => !waiting.has(one)), ...ended])],
    });
  }

  private async named(folder: string, study: string): Promise<readonly string[]> {
    return (await readdir(join(this.folder, folder))).filter((name) => name.startsWith(`${study}-`));
  }

  /** Writes down that an attempt failed. */
  async failed(job: Job): Promise<void> {
    await this.write(QUEUE, nameOf(job), { ...job, attempts: job.attempts + 1 });
  }

  async sent(job: Job): Promise<void> {
    await this.move(nameOf(job), SENT);
  }

  /** @param reason a sentence without a name */
  async giveUp(job: Job, reason: string): Promise<void> {
    const name = nameOf(job);
    await this.write(DEAD, `${name.slice(0, -ENDING.length)}.reason`, { reason, at: new Date().toISOString() });
    await this.move(name, DEAD);
  }

  private async move(name: string, to: string): Promise<void> {
    await rename(join(this.folder, QUEUE, name), join(this.folder, to, name));
    await syncFolder(join(this.folder, to));
    await syncFolder(join(this.folder, QUEUE));
  }

  /** Whole or not at all, and lasting. */
  private async write(folder: string, name: string, content: unknown): Promise<void> {
    const path = join(this.folder, folder, name);
    const made = `${path}.new`;
    const handle = await open(made, "w", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(content)}\n`);
      await handle.sync();
    } catch (error) {
      await rm(made, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    await rename(made, path);
    await syncFolder(join(this.folder, folder));
  }
}

export const nameOf = ({ to, answer }: Pick<Job, "to" | "answer">): string =>
  `${answer.study}-${answer.pictures}-${to}${ENDING}`;

function parsed(text: string): Job | undefined {
  try {
    return jobSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}
