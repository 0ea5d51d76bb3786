import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { framePlaceSchema } from "../imaging";
import { syncFolder } from "./fsync";

const text = z.string().nullable();

/** An instance that was given other names: what is at home of it, beside what left. */
const recordSchema = z.object({
  instance: z.string(),
  series: z.string(),
  study: z.string(),
  /** 64 hex digits; null where the patient is not known. */
  patient: text,
  /** As they were sent. Nothing of this leaves the hospital. */
  identifiers: z.object({
    patientId: text,
    patientName: text,
    birthDate: text,
    sex: text,
    accession: text,
    studyUid: z.string(),
    seriesUid: z.string(),
    instanceUid: z.string(),
    // Lines of earlier versions say nothing of what follows.
    studyDate: text.default(null),
    studyTime: text.default(null),
    studyId: text.default(null),
  }),
  sopClass: text,
  /** How frames became upright, one where all are alike; null frames: the file says of none. */
  frames: z.int().nullable().default(null),
  places: z.array(framePlaceSchema).default([]),
  dayShift: z.number().int(),
  /** Of the data set as it was sent, hex: tells a second sending from another file. */
  sha256: z.string(),
  recorded: z.string(),
});

export type MappingRecord = z.output<typeof recordSchema>;

const landedSchema = z.object({ landed: z.string(), object: z.string(), at: z.string() });
const lineSchema = z.union([recordSchema, landedSchema]);

/** What is known of one instance. */
export interface KnownInstance {
  /** Of the data set that was recorded first: that one counts. */
  readonly sha256: string;
  readonly landed: boolean;
}

/** All of a study that is at home. */
export interface StudyAtHome {
  /** By pseudonym of the instance. */
  readonly records: ReadonlyMap<string, MappingRecord>;
  /** When each landed, milliseconds. */
  readonly landed: ReadonlyMap<string, number>;
}

/** Of so many studies the lines are held in memory: senders send one after the other. */
const STUDIES_HELD = 16;

/**
 * Which pseudonyms stand for whom: a file a study, `<study's pseudonym>.jsonl`, to which lines are added and flushed to the
 * disk before what they speak of leaves. It is all that leads back, and never leaves the hospital.
 */
export class Mapping {
  private readonly held = new Map<string, Map<string, KnownInstance>>();
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<Mapping> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new Mapping(folder);
  }

  find(study: string, instance: string): Promise<KnownInstance | undefined> {
    return this.inTurn(async () => (await this.study(study)).get(instance));
  }

  /** Of an instance that is not known yet. */
  add(record: MappingRecord): Promise<void> {
    return this.inTurn(async () => {
      const known = await this.study(record.study);
      await this.append(record.study, record);
      known.set(record.instance, { sha256: record.sha256, landed: false });
    });
  }

  /** Of one that is. */
  landed(study: string, instance: string, object: string): Promise<void> {
    return this.inTurn(async () => {
      const known = await this.study(study);
      const { sha256 } = known.get(instance) as KnownInstance;
      await this.append(study, { landed: instance, object, at: new Date().toISOString() });
      known.set(instance, { sha256, landed: true });
    });
  }

  /** Pseudonyms of the studies of which something was recorded. */
  async studies(): Promise<readonly string[]> {
    return (await readdir(this.folder)).flatMap((name) => /^(2\.25\.[0-9]{1,39})\.jsonl$/.exec(name)?.[1] ?? []);
  }

  /** What is known of a study. */
  atHome(study: string): Promise<StudyAtHome> {
    return this.inTurn(async () => {
      const records = new Map<string, MappingRecord>();
      const landed = new Map<string, number>();
      for (const line of await this.lines(study)) {
        if ("landed" in line) landed.set(line.landed, Date.parse(line.at));
        else if (!records.has(line.instance)) records.set(line.instance, line);
      }
      return { records, landed };
    });
  }

  /** Takes instances out of a study, and the study with its last one. */
  forget(study: string, instances: ReadonlySet<string>): Promise<void> {
    return this.inTurn(async () => {
      const path = this.file(study);
      const left = (await this.lines(study)).filter(
        (line) => !instances.has("landed" in line ? line.landed : line.instance),
      );
      this.held.delete(study);
      if (left.length === 0) await rm(path, { force: true });
      else await replaceFile(path, left.map((line) => `${JSON.stringify(line)}\n`).join(""));
      await syncFolder(this.folder);
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined);
    return result;
  }

  private async study(study: string): Promise<Map<string, KnownInstance>> {
    const known = this.held.get(study) ?? (await this.read(study));
    // The one that was asked for last is the last to go.
    this.held.delete(study);
    this.held.set(study, known);
    const [oldest] = this.held.keys();
    if (this.held.size > STUDIES_HELD) this.held.delete(oldest as string);
    return known;
  }

  private async read(study: string): Promise<Map<string, KnownInstance>> {
    const known = new Map<string, KnownInstance>();
    for (const line of await this.lines(study)) {
      if ("landed" in line) {
        const { sha256 } = known.get(line.landed) ?? { sha256: "" };
        known.set(line.landed, { sha256, landed: true });
      } else if (!known.has(line.instance)) known.set(line.instance, { sha256: line.sha256, landed: false });
    }
    return known;
  }

  private async lines(study: string): Promise<z.output<typeof lineSchema>[]> {
    const path = this.file(study);
    const content = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    const lines: z.output<typeof lineSchema>[] = [];
    // A last line that a death cut short is none; every other one has to be readable.
    const whole = content.slice(0, content.lastIndexOf("\n") + 1);
    for (const [index, text] of whole.split("\n").entries()) {
      if (text === "") continue;
      const { data: line } = lineSchema.safeParse(parseJson(text));
      if (!line) throw new Error(`Line ${index + 1} of ${path} is damaged. Put the file back from its backup.`);
      lines.push(line);
    }
    return lines;
  }

  private async append(study: string, line: z.output<typeof lineSchema>): Promise<void> {
    const path = this.file(study);
    const handle = await open(path, "a+", 0o600);
    try {
      const { size } = await handle.stat();
      if (size > 0) {
        const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
        // What a death cut short is no part of the next line.
        if (buffer.toString() !== "\n") await handle.truncate((await readFile(path)).lastIndexOf("\n") + 1);
      }
      await handle.appendFile(`${JSON.stringify(line)}\n`);
      await handle.sync();
      if (size === 0) await syncFolder(this.folder);
    } catch (error) {
      // How much of it is there is not known: it is read again.
      this.held.delete(study);
      throw error;
    } finally {
      await handle.close();
    }
  }

  private file(study: string): string {
    if (!/^2\.25\.[0-9]{1,39}$/.test(study)) throw new Error("A study's pseudonym is none.");
    return join(this.folder, `${study}.jsonl`);
  }
}

/** Whole or not at all. */
async function replaceFile(path: string, content: string): Promise<void> {
  const made = `${path}.new`;
  const handle = await open(made, "w", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(made, path);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
