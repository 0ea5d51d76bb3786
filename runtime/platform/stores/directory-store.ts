import { createHash, randomBytes } from "node:crypto";
import {
  constants,
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { type DiskError, diskError } from "../disk";
import { isAbandoned, PROCESS } from "../process-mark";
import { Crc32cStream, crc32cOf, crc32cOfFile } from "./crc32c";
import { checkObjectName, compareNames } from "./object-name";
import {
  ChecksumMismatchError,
  type CreateOptions,
  InvalidObjectNameError,
  type ListOptions,
  type ListPage,
  type ObjectContent,
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  ObjectTooLargeError,
  PreconditionFailedError,
  type ReadOptions,
  type WriteOptions,
} from "./object-store";

/**
 * A bucket as a directory. Objects are plain files below `root`, to be looked at with any tool. What a plain file
 * cannot carry (generations, checksums, metadata) lies beside the root:
 *
 *     <parent>/landing/Cancer/a.png                                      the live content, a hard link
 *     <parent>/.store/landing/<aa>/<sha256 of name>/<generation>/data
 *                                                               /meta.json
 *     <parent>/.store/tmp/<process>-<random>/                            work in progress
 *
 * **Publishing** a generation is one `rename` of a complete directory onto the next number. The system call fails if
 * the number is taken, so it is an atomic compare-and-swap between processes, without locks: a process that dies
 * leaves either nothing or the whole generation. A deletion is a generation too, so numbers never repeat. Earlier
 * generations are kept, as in a bucket with versioning.
 *
 * **The visible file** follows: its link is renamed into place after publication. Until then the work directory
 * remains and names the object; whoever finds the two out of step while such a directory exists puts the visible file
 * right. Without one the difference was made by a person, and a person's file wins: it becomes the next generation, a
 * file that is gone becomes a deletion.
 *
 * Nothing is flushed to the disk explicitly (3 ms a file). The death of a process loses nothing; the death of the
 * machine can lose the last seconds, and what it cut short fails its checksum when it is read.
 *
 * Metadata calls, and the reading and writing of small files, are synchronous: they take microseconds, which is less than
 * handing them to the thread pool.
 */
export class DirectoryStore implements ObjectStore {
  readonly uri: string;
  readonly bucket: string;
  /** Absolute path of the visible files. */
  readonly root: string;
  private readonly versions: string;
  private readonly work: string;
  /** Work directories of this process that nothing is using. */
  private readonly idle: string[] = [];
  /** One object is asked for several times in a row. */
  private asked: { readonly name: string; readonly history: string } | undefined;
  /** Records never change once published. */
  private readonly records = new Map<string, Generation>();

  /** Opens a directory, making it where it is missing, and removes what dead processes left. */
  constructor(directory: string) {
    makeFolders(resolve(directory));
    this.root = realpathSync(resolve(directory));
    this.uri = pathToFileURL(this.root).href;
    this.bucket = basename(this.root) || "root";
    const store = join(dirname(this.root), STORE);
    this.versions = join(store, this.bucket);
    this.work = join(store, "tmp");
    this.recover();
  }

  async stat(name: string, options: ReadOptions = {}): Promise<ObjectInfo | undefined> {
    const record = await this.lookUp(name, options);
    return record && info(record);
  }

  async read(name: string, options: ReadOptions = {}): Promise<Buffer> {
    const record = await this.find(name, options);
    ObjectTooLargeError.check(this.uri, record, options.atMost);
    const path = this.data(record);
    const content = record.size <= AT_ONCE ? readFileSync(path) : await readFile(path);
    this.verify(record, crc32cOf(content));
    return content;
  }

  async createReadStream(name: string, options: ReadOptions = {}): Promise<Readable> {
    const record = await this.find(name, options);
    const source = createReadStream(this.data(record));
    const checked = new Crc32cStream((actual) => this.verify(record, actual));
    source.on("error", (error) => checked.destroy(error));
    checked.on("close", () => source.destroy());
    return source.pipe(checked);
  }

  async materialize(name: string, options: ReadOptions = {}): Promise<{ path: string; release(): Promise<void> }> {
    const record = await this.find(name, options);
    const path = this.data(record);
    this.verify(record, (await crc32cOfFile(path)).crc32c);
    return { path, release: async () => {} };
  }

  create(name: string, content: ObjectContent, options: CreateOptions = {}): Promise<ObjectInfo> {
    return this.write(name, content, { ...options, ifGenerationMatch: 0 });
  }

  async write(name: string, content: ObjectContent, options: WriteOptions = {}): Promise<ObjectInfo> {
    try {
      return await this.store(name, content, options);
    } catch (error) {
      if (content instanceof Readable) content.destroy();
      throw this.refused(error, name) ?? error;
    }
  }

  private async store(name: string, content: ObjectContent, options: WriteOptions): Promise<ObjectInfo> {
    checkObjectName(this.uri, name);
    this.checkSegments(name);
    const { live, highest } = await this.resolve(name);
    this.expect(name, live, options.ifGenerationMatch);
    this.makeRoom(name);

    const task = this.begin(name);
    try {
      const path = join(task, "generation", "data");
      let crc32c: string;
      if (typeof content === "string" || content instanceof Uint8Array) {
        const bytes = typeof content === "string" ? Buffer.from(content) : content;
        crc32c = crc32cOf(bytes);
        this.expectChecksum(name, options.crc32c, crc32c);
        if (bytes.length <= AT_ONCE) writeFileSync(path, bytes);
        else await writeFile(path, bytes);
      } else {
        const sum = new Crc32cStream();
        await pipeline(content, sum, createWriteStream(path));
        crc32c = sum.value;
        this.expectChecksum(name, options.crc32c, crc32c);
      }
      const written = statSync(path);
      const record = this.publish(task, name, highest, options.ifGenerationMatch, {
        size: written.size,
        crc32c,
        contentType: options.contentType ?? DEFAULT_CONTENT_TYPE,
        metadata: { ...options.metadata },
        updated: new Date().toISOString(),
        modified: written.mtimeMs,
      });
      // Nobody can have shown a later one than the first yet, or whoever did looks again.
      this.show(task, name, record.generation === 1 ? record : undefined);
      return info(record);
    } finally {
      this.end(task);
    }
  }

  async delete(name: string, options: { readonly ifGenerationMatch?: number } = {}): Promise<boolean> {
    checkObjectName(this.uri, name);
    const { live } = await this.resolve(name);
    if (!live) return false;
    this.expect(name, live, options.ifGenerationMatch);
    const buried = this.bury(name, options.ifGenerationMatch);
    if (!buried && options.ifGenerationMatch !== undefined) {
      throw new PreconditionFailedError(this.uri, name, options.ifGenerationMatch);
    }
    return buried;
  }

  /**
   * Deletes an object with the content of every generation it had: nothing of it can be read any more. False if there was
   * none.
   */
  async erase(name: string): Promise<boolean> {
    const deleted = await this.delete(name);
    // The newest is the deletion, which stays, so that no number is given twice.
    const newest = this.highest(name);
    for (let generation = newest - 1; generation > 0; generation--)
      rmSync(join(this.history(name), String(generation)), { recursive: true, force: true });
    return deleted;
  }

  /**
   * The same, with the object's name, which a deletion keeps: whoever writes one of that name later begins at generation 1.
   * All of it leaves in one step: of a process that dies here, the next one that opens the bucket removes the rest.
   */
  async forget(name: string): Promise<boolean> {
    checkObjectName(this.uri, name);
    const history = this.history(name);
    const there = existsSync(history) || this.look(name) !== undefined;
    const task = this.begin();
    try {
      for (let generation = this.highest(name); generation > 0; generation--)
        this.records.delete(keyOf(name, generation));
      if (existsSync(history)) renameSync(history, join(task, "forgotten"));
      rmSync(this.visible(name), { force: true });
      this.removeEmptyParents(name);
      return there;
    } finally {
      removeIfThere(join(task, "forgotten"));
      this.end(task);
    }
  }

  /** Takes away every generation that is not the live one, of all objects. */
  async forgetNoncurrent(): Promise<void> {
    if (!existsSync(this.versions)) return;
    for (const shelf of readdirSync(this.versions))
      for (const entry of readdirSync(join(this.versions, shelf))) {
        const history = join(this.versions, shelf, entry);
        const numbers = readdirSync(history).map(Number);
        const newest = Math.max(0, ...numbers);
        const meta = join(history, String(newest), "meta.json");
        const isLive = existsSync(meta) && !(JSON.parse(readFileSync(meta, "utf8")) as Generation).deleted;
        if (!isLive) rmSync(history, { recursive: true, force: true });
        else
          for (const number of numbers)
            if (number !== newest) rmSync(join(history, String(number)), { recursive: true, force: true });
      }
    this.records.clear();
  }

  /** Takes away every generation of an object but the newest. */
  async forgetEarlier(name: string): Promise<void> {
    for (let generation = this.highest(name) - 1; generation > 0; generation--)
      rmSync(join(this.history(name), String(generation)), { recursive: true, force: true });
  }

  async list(options: ListOptions = {}): Promise<ListPage> {
    const pageSize = options.pageSize ?? 1000;
    if (!Number.isInteger(pageSize) || pageSize < 1)
      throw new RangeError(`A page holds 1 or more objects, not ${pageSize}.`);
    const after = options.pageToken === undefined ? undefined : Buffer.from(options.pageToken, "base64url").toString();
    const names = this.names(options.prefix ?? "");
    const objects: ObjectInfo[] = [];
    for (const name of names) {
      if (after !== undefined && compareNames(name, after) <= 0) continue;
      if (options.from !== undefined && compareNames(name, options.from) < 0) continue;
      const { live } = await this.resolve(name);
      if (!live) continue;
      if (objects.length === pageSize) {
        const last = objects[objects.length - 1] as ObjectInfo;
        return { objects, nextPageToken: Buffer.from(last.name).toString("base64url") };
      }
      objects.push(info(live));
    }
    return { objects, nextPageToken: undefined };
  }

  async *listAll(prefix = ""): AsyncGenerator<ObjectInfo> {
    for (const name of this.names(prefix)) {
      const { live } = await this.resolve(name);
      if (live) yield info(live);
    }
  }

  /** What the disk refuses, under the name that a person knows; what a stream is read from fails under its own. */
  private refused(error: unknown, name: string): DiskError | undefined {
    const { path } = error as NodeJS.ErrnoException;
    const isOwn = path === undefined || [this.root, dirname(this.versions)].some((folder) => path.startsWith(folder));
    return isOwn ? diskError(error, this.visible(name)) : undefined;
  }

  // Names ------------------------------------------------------------------------------------------------------------

  /** Names below a prefix that a visible file or unfinished work stands for, sorted. */
  private names(prefix: string): string[] {
    const found = new Set<string>();
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    const walk = (path: string) => {
      let entries: ReturnType<typeof readEntries>;
      try {
        entries = readEntries(join(this.root, path));
      } catch (error) {
        if (isMissing(error)) return;
        throw error;
      }
      for (const entry of entries) {
        const name = path + entry.name;
        if (entry.isDirectory()) {
          if (entry.name === STORE) continue;
          if (`${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`)) walk(`${name}/`);
        } else if ((entry.isFile() || entry.isSymbolicLink()) && name.startsWith(prefix) && !isPart(entry.name)) {
          if (isObjectName(name)) found.add(name);
        }
      }
    };
    if (folder === "" || isObjectName(folder.slice(0, -1))) walk(folder);
    for (const name of this.published()) if (name.startsWith(prefix)) found.add(name);
    return [...found].sort(compareNames);
  }

  private visible(name: string): string {
    return join(this.root, name);
  }

  private history(name: string): string {
    if (this.asked?.name !== name) {
      const hash = createHash("sha256").update(name).digest("hex");
      this.asked = { name, history: join(this.versions, hash.slice(0, 2), hash) };
    }
    return this.asked.history;
  }

  private data(record: Generation): string {
    return join(this.history(record.name), String(record.generation), "data");
  }

  private checkSegments(name: string): void {
    for (const segment of name.split("/")) {
      if (Buffer.byteLength(segment) > 255) {
        throw new InvalidObjectNameError(this.uri, name, "a file system allows 255 bytes between two slashes");
      }
      if (segment === STORE || isPart(segment)) {
        throw new InvalidObjectNameError(this.uri, name, `"${segment}" is used by the directory store itself`);
      }
    }
  }

  /** Makes the folder of the visible file. Refuses, before anything is written, what cannot be shown as a file. */
  private makeRoom(name: string): void {
    const refuse = (why: string): never => {
      throw new InvalidObjectNameError(this.uri, name, why);
    };
    try {
      const parent = this.makeParent(name);
      if (parent !== this.root && !parent.startsWith(this.root + sep))
        refuse("a symbolic link leads out of the bucket");
      // A folder that a deletion has emptied does not stand in the way.
      if (statSync(this.visible(name), { throwIfNoEntry: false })?.isDirectory())
        removeEmptyFolders(this.visible(name));
    } catch (error) {
      const code = codeOf(error);
      if (code === "ENAMETOOLONG") refuse("it is too long for this file system");
      if (code === "EEXIST" || code === "ENOTDIR") refuse("an object has the name of one of its folders");
      if (code === "ENOTEMPTY") refuse("there are objects below that name");
      throw error;
    }
  }

  /** Real path of the folder of a visible file, made if need be. */
  private makeParent(name: string): string {
    const parent = dirname(this.visible(name));
    // Mostly it is there: to be told so by an error costs more than the question.
    if (!existsSync(parent)) makeFolders(parent);
    return realpathSync.native(parent);
  }

  // Generations ------------------------------------------------------------------------------------------------------

  private highest(name: string): number {
    const history = this.history(name);
    // An error of a folder that is missing costs ten times as much as the question.
    if (!existsSync(history)) return 0;
    let highest = 0;
    for (const entry of readdirSync(history)) {
      const generation = Number(entry);
      if (generation > highest) highest = generation;
    }
    return highest;
  }

  private record(name: string, generation: number): Generation | undefined {
    const known = this.records.get(keyOf(name, generation));
    if (known) return known;
    let text: string;
    try {
      text = readFileSync(join(this.history(name), String(generation), "meta.json"), "utf8");
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    return this.remember(JSON.parse(text) as Generation);
  }

  private remember(record: Generation): Generation {
    if (this.records.size >= RECORDS_KEPT) this.records.clear();
    this.records.set(keyOf(record.name, record.generation), record);
    return record;
  }

  private async find(name: string, options: ReadOptions): Promise<Generation> {
    const record = await this.lookUp(name, options);
    if (record) return record;
    throw new ObjectNotFoundError(this.uri, options.generation ? `${name}#${options.generation}` : name);
  }

  private async lookUp(name: string, options: ReadOptions): Promise<Generation | undefined> {
    checkObjectName(this.uri, name);
    let record: Generation | undefined;
    if (options.generation !== undefined) record = this.record(name, options.generation);
    // A person's change counts from when it is noticed: a generation may come into being by asking for it.
    if (!record) record = (await this.resolve(name)).live;
    if (!record || record.deleted || record.generation !== (options.generation ?? record.generation)) return undefined;
    return record;
  }

  /** The live record, after putting right what a crash or a person left out of step. */
  private async resolve(name: string): Promise<{ live: Generation | undefined; highest: number }> {
    for (;;) {
      const highest = this.highest(name);
      const record = highest > 0 ? this.record(name, highest) : undefined;
      const live = record?.deleted ? undefined : record;
      const file = this.look(name);
      if (live ? file && matches(file, live) : !file) return { live, highest };

      if (record && this.published().has(name)) {
        this.heal(name);
        return { live, highest };
      }
      // Nobody is at work on it now; somebody may have been until a moment ago.
      if (this.highest(name) !== highest || !sameFile(this.look(name), file)) continue;

      if (!file) {
        this.bury(name, highest);
      } else if (live && file.size === live.size && (await this.contentIs(name, live))) {
        this.touch(name, live);
        return { live, highest };
      } else {
        const adopted = await this.adopt(name, file, highest);
        if (adopted) return { live: adopted, highest: highest + 1 };
      }
    }
  }

  private look(name: string): Stats | undefined {
    try {
      const file = statSync(this.visible(name), { throwIfNoEntry: false });
      return file?.isFile() ? file : undefined;
    } catch (error) {
      if (isMissing(error) || codeOf(error) === "ELOOP" || codeOf(error) === "ENAMETOOLONG") return undefined;
      throw error;
    }
  }

  private async contentIs(name: string, record: Generation): Promise<boolean> {
    try {
      return (await crc32cOfFile(this.visible(name))).crc32c === record.crc32c;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** The same bytes under another time (a copied workspace): take the time over, so that nobody compares again. */
  private touch(name: string, record: Generation): void {
    unlessReadOnly(() => utimesSync(this.visible(name), new Date(), record.modified / 1000));
  }

  /** Makes a file that a person put there the next generation. The file itself is left alone: it may still be growing. */
  private async adopt(name: string, file: Stats, highest: number): Promise<Generation | undefined> {
    const task = this.begin();
    try {
      const path = join(task, "generation", "data");
      try {
        await copyFile(this.visible(name), path, constants.COPYFILE_FICLONE);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      const { crc32c, size } = await crc32cOfFile(path);
      return this.tryPublish(task, name, highest + 1, {
        size,
        crc32c,
        contentType: DEFAULT_CONTENT_TYPE,
        metadata: {},
        updated: new Date(file.mtimeMs).toISOString(),
        modified: file.mtimeMs,
      });
    } finally {
      this.end(task);
    }
  }

  /** Publishes a deletion and takes the visible file away. False where that generation is not live any more. */
  private bury(name: string, ifGenerationMatch?: number): boolean {
    const task = this.begin(name);
    try {
      for (;;) {
        const highest = this.highest(name);
        const record = this.record(name, highest);
        if (!record || record.deleted || highest !== (ifGenerationMatch ?? highest)) return false;
        const tombstone = { ...record, deleted: true, updated: new Date().toISOString() };
        if (!this.tryPublish(task, name, highest + 1, tombstone)) continue;
        this.show(task, name);
        return true;
      }
    } finally {
      this.end(task);
    }
  }

  /** @param before the generation that was the highest when the live one was found to be as expected */
  private publish(
    task: string,
    name: string,
    before: number,
    ifGenerationMatch: number | undefined,
    content: Omit<Generation, "name" | "generation">,
  ): Generation {
    for (let highest = before; ; ) {
      const published = this.tryPublish(task, name, highest + 1, content);
      if (published) return published;
      highest = this.highest(name);
      const record = this.record(name, highest);
      this.expect(name, record?.deleted ? undefined : record, ifGenerationMatch);
    }
  }

  /** Undefined if another process took the number first. */
  private tryPublish(
    task: string,
    name: string,
    generation: number,
    content: Omit<Generation, "name" | "generation">,
  ): Generation | undefined {
    const record: Generation = { ...content, name, generation };
    const folder = join(task, "generation");
    const target = join(this.history(name), String(generation));
    writeFileSync(join(folder, "meta.json"), JSON.stringify(record));
    try {
      if (generation === 1) makeFolders(dirname(target));
      renameSync(folder, target);
      return this.remember(record);
    } catch (error) {
      if (["ENOTEMPTY", "EEXIST"].includes(codeOf(error))) return undefined;
      throw error;
    }
  }

  /**
   * Makes the visible file what the highest generation says, and looks again: another process may have published.
   * @param first what is the highest one as far as is known
   */
  private show(task: string, name: string, first?: Generation): void {
    for (let record = first ?? this.record(name, this.highest(name)); record; ) {
      if (record.deleted) {
        rmSync(this.visible(name), { force: true });
        this.removeEmptyParents(name);
      } else this.place(task, record);
      const highest = this.highest(name);
      if (highest === record.generation) return;
      record = this.record(name, highest);
    }
  }

  private place(task: string, record: Generation): void {
    const visible = this.visible(record.name);
    const data = this.data(record);
    const link = join(task, "link");
    for (let attempt = 0; ; attempt++) {
      try {
        linkSync(data, link);
        renameSync(link, visible);
        return;
      } catch (error) {
        const code = codeOf(error);
        if (code === "EEXIST" && attempt < 10) removeIfThere(link);
        else if (code === "ENOENT" && attempt < 10) {
          // The folder was emptied and removed by a concurrent deletion.
          this.makeParent(record.name);
        } else if (["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "ENOSYS"].includes(code)) {
          const part = join(dirname(visible), `${PART}${randomBytes(6).toString("hex")}`);
          copyFileSync(data, part, constants.COPYFILE_FICLONE);
          utimesSync(part, new Date(), record.modified / 1000);
          renameSync(part, visible);
          return;
        } else throw error;
      }
    }
  }

  private removeEmptyParents(name: string): void {
    for (let path = dirname(this.visible(name)); path.startsWith(this.root + sep); path = dirname(path)) {
      try {
        rmdirSync(path);
      } catch {
        return;
      }
    }
  }

  private heal(name: string): void {
    const task = this.begin(name);
    try {
      rmSync(join(task, "generation"), { recursive: true });
      this.show(task, name);
    } finally {
      this.end(task);
    }
  }

  private expect(name: string, live: Generation | undefined, ifGenerationMatch: number | undefined): void {
    if (ifGenerationMatch !== undefined && (live?.generation ?? 0) !== ifGenerationMatch) {
      throw new PreconditionFailedError(this.uri, name, ifGenerationMatch);
    }
  }

  private expectChecksum(name: string, expected: string | undefined, actual: string): void {
    if (expected !== undefined && expected !== actual) {
      throw new ChecksumMismatchError(this.uri, name, expected, actual);
    }
  }

  private verify(record: Generation, actual: string): void {
    this.expectChecksum(record.name, record.crc32c, actual);
  }

  // Work in progress -------------------------------------------------------------------------------------------------

  /** An empty work directory; `name` says whose visible file it is about to change. */
  private begin(name?: string): string {
    const task = this.idle.pop() ?? join(this.work, `${PROCESS}-${randomBytes(8).toString("hex")}`);
    makeFolders(join(task, "generation"));
    if (name !== undefined) writeFileSync(join(task, "name"), `${this.bucket}/${name}`);
    return task;
  }

  /** Keeps the directory for the next piece of work: removing one costs more than the rest of a write. */
  private end(task: string): void {
    for (const part of ["name", "link", "generation"]) removeIfThere(join(task, part));
    this.idle.push(task);
  }

  /** Names of this bucket whose generation is published while the visible file may not have followed yet. */
  private published(): Set<string> {
    const names = new Set<string>();
    for (const task of readdirSync(this.work)) {
      const { bucket, name, pending } = this.inspect(task);
      if (bucket === this.bucket && name !== undefined && !pending) names.add(name);
    }
    return names;
  }

  /** What a work directory is for. `pending`: its generation is not published yet. */
  private inspect(task: string): { bucket?: string; name?: string; pending: boolean } {
    const pending = statSync(join(this.work, task, "generation"), { throwIfNoEntry: false }) !== undefined;
    try {
      const text = readFileSync(join(this.work, task, "name"), "utf8");
      const slash = text.indexOf("/");
      return { bucket: text.slice(0, slash), name: text.slice(slash + 1), pending };
    } catch (error) {
      if (isMissing(error)) return { pending };
      throw error;
    }
  }

  private recover(): void {
    makeFolders(this.work);
    for (const task of readdirSync(this.work)) {
      const path = join(this.work, task);
      if (!isAbandoned(task, path)) continue;
      const { bucket, name, pending } = this.inspect(task);
      // Published: the visible file may not have followed. The other buckets look after their own.
      if (!pending && name !== undefined) {
        if (bucket !== this.bucket) continue;
        this.heal(name);
      }
      // What lies on a disk that is read-only waits there: it may be read all the same.
      unlessReadOnly(() => rmSync(path, { recursive: true, force: true }));
    }
  }
}

/** `meta.json` of one generation. */
interface Generation {
  readonly name: string;
  readonly generation: number;
  readonly size: number;
  readonly crc32c: string;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly updated: string;
  /** Modification time of the visible file, milliseconds: with the size it tells a person's change. */
  readonly modified: number;
  readonly deleted?: boolean;
}

const RECORDS_KEPT = 20_000;
/** Largest file that is read and written synchronously, bytes: 0.1 ms from and to memory. */
const AT_ONCE = 2 ** 18;
const DEFAULT_CONTENT_TYPE = "application/octet-stream";
const STORE = ".store";
const PART = ".store-part-";

const keyOf = (name: string, generation: number) => `${generation} ${name}`;

function info(record: Generation): ObjectInfo {
  const { name, generation, size, crc32c, contentType, metadata, updated } = record;
  return { name, generation, size, crc32c, contentType, metadata, updated };
}

/** Setting a time rounds to less than a microsecond. */
function matches(file: Stats, record: Generation): boolean {
  return file.size === record.size && Math.abs(file.mtimeMs - record.modified) < 0.002;
}

function sameFile(a: Stats | undefined, b: Stats | undefined): boolean {
  return a?.ino === b?.ino && a?.size === b?.size && a?.mtimeMs === b?.mtimeMs;
}

function isPart(segment: string): boolean {
  return segment.startsWith(PART);
}

function isObjectName(name: string): boolean {
  try {
    checkObjectName("", name);
    return true;
  } catch {
    return false;
  }
}

function readEntries(path: string) {
  return readdirSync(path, { withFileTypes: true });
}

/** Mostly there is nothing: looking costs a fraction of what removing does that finds it out. */
function removeIfThere(path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory()) rmSync(path, { recursive: true, force: true });
  else if (there) unlinkSync(path);
}

function removeEmptyFolders(path: string): void {
  for (const entry of readEntries(path)) if (entry.isDirectory()) removeEmptyFolders(join(path, entry.name));
  rmdirSync(path);
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code ?? "");
}

/** Puts in order what may as well stay as it is: where it is not there, or this process may not, nothing is done. */
function unlessReadOnly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!["EPERM", "EACCES", "EROFS", "ENOENT"].includes(codeOf(error))) throw error;
  }
}

/** A folder and those above it. */
function makeFolders(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    // Node says so of a disk that is read-only too; asked for a single folder, it says what the system says.
    if (!isMissing(error)) throw error;
    let first = path;
    while (!existsSync(dirname(first))) first = dirname(first);
    mkdirSync(first);
    mkdirSync(path, { recursive: true });
  }
}

function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(codeOf(error));
}
