import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { diskError } from "../platform/disk";
import { startOfDataSet } from "./data-set-start";
import { type Receiving, STATUS, type Status, type StoreRequest, SUCCESS } from "./dimse";
import { fileMetaInformation, isBigEndian, isDeflated } from "./file-meta";
import { syncFolder } from "./fsync";

export interface SpoolOptions {
  /** Bytes of one instance. */
  readonly maxBytes: number;
  /** Bytes that stay free on the disk: what is in the spool already needs some to be worked on. */
  readonly reserveBytes: number;
}

/** Why an instance stays at home: a stable code, and a sentence without an identifier. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

const INCOMING = "incoming";
const WAITING = "waiting";
const REFUSED = "refused";
const ENDING = ".dcm";

/** Of a data set, that its first elements are looked for in. */
const START_BYTES = 4096;
/** The disk is looked at again after so many bytes. */
const BYTES_BETWEEN_LOOKS = 16 * 2 ** 20;

/**
 * Where instances lie between the sender's success and the landing bucket. Whole files are renamed from one folder to the
 * next, so that a death leaves each in one of them:
 *
 *     incoming/   being received; nobody was told that they are here, and a new start removes them
 *     waiting/    received, flushed to the disk, confirmed to their sender; the names begin with the time
 *     refused/    what cannot go on, each with its reason beside it; moved to waiting/ by hand, it is tried again
 *
 * Folders are for this user alone: what lies here is as it was sent, with all identifiers.
 */
export class Spool {
  /** Called with each instance that comes to wait. */
  onWaiting: () => void = () => {};
  /** Called with what the sender hears of as a status alone. */
  onTrouble: (error: unknown) => void = () => {};

  private constructor(
    private readonly folder: string,
    private readonly options: SpoolOptions,
  ) {}

  static async open(folder: string, options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(folder, options);
    for (const name of [INCOMING, WAITING, REFUSED]) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
    for (const left of await readdir(join(folder, INCOMING))) await rm(join(folder, INCOMING, left), { force: true });
    return spool;
  }

  /** Begins an instance. What goes wrong from here on is its status. */
  async receive(request: StoreRequest): Promise<Receiving> {
    const receiving = new Reception(this.folder, this.options, request, this);
    await receiving.begin();
    return receiving;
  }

  /** The names of those that wait, the oldest first. */
  async waiting(): Promise<string[]> {
    return (await readdir(join(this.folder, WAITING))).filter((name) => name.endsWith(ENDING)).sort();
  }

  path(name: string): string {
    return join(this.folder, WAITING, name);
  }

  /** Where those lie that were refused. */
  get refused(): string {
    return join(this.folder, REFUSED);
  }

  /** It has landed. */
  async remove(name: string): Promise<void> {
    await rm(this.path(name), { force: true });
  }

  /** It stays, with its reason. */
  async refuse(name: string, refusal: Refusal): Promise<void> {
    const reason = join(this.refused, `${name.slice(0, -ENDING.length)}.json`);
    const { mtime } = await stat(this.path(name));
    const told = { ...refusal, received: mtime.toISOString(), refused: new Date().toISOString() };
    await writeFile(reason, `${JSON.stringify(told, null, 2)}\n`, { mode: 0o600, flush: true });
    await rename(this.path(name), join(this.refused, name));
    await syncFolder(this.refused);
    await syncFolder(join(this.folder, WAITING));
  }
}

/** A file of a spool. */
export interface SpooledFile {
  readonly path: string;
  /** What lies beside it and says why it was refused. */
  readonly beside: readonly string[];
  /** Not where it was being received when the gateway died. */
  readonly isWhole: boolean;
}

/** Every file of a spool that no gateway works in. */
export async function filesIn(folder: string): Promise<readonly SpooledFile[]> {
  const found: SpooledFile[] = [];
  for (const where of [INCOMING, WAITING, REFUSED]) {
    const names: readonly string[] = await readdir(join(folder, where)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    for (const name of names) {
      if (where !== INCOMING && !name.endsWith(ENDING)) continue;
      const reason = `${name.slice(0, -ENDING.length)}.json`;
      const beside = where === REFUSED && names.includes(reason) ? [join(folder, where, reason)] : [];
      found.push({ path: join(folder, where, name), beside, isWhole: where !== INCOMING });
    }
  }
  return found;
}

const OUT_OF_DISK: Status = { status: STATUS.outOfResources, comment: "The disk of the gateway is full." };

class Reception implements Receiving {
  private readonly name = `${String(Date.now()).padStart(15, "0")}-${randomBytes(6).toString("hex")}`;
  private readonly incoming: string;
  private file: Awaited<ReturnType<typeof open>> | undefined;
  private start = Buffer.alloc(0);
  private bytes = 0;
  private looked = 0;
  private failure: Status | undefined;

  constructor(
    private readonly folder: string,
    private readonly options: SpoolOptions,
    private readonly request: StoreRequest,
    private readonly spool: Pick<Spool, "onWaiting" | "onTrouble">,
  ) {
    this.incoming = join(folder, INCOMING, this.name);
  }

  begin(): Promise<void> {
    return this.orFail(async () => {
      await this.checkRoom();
      if (this.failure) return;
      this.file = await open(this.incoming, "wx", 0o600);
      await this.file.writeFile(fileMetaInformation(this.request));
    });
  }

  write(bytes: Buffer): Promise<void> {
    return this.orFail(async () => {
      if (this.failure || !this.file) return;
      this.bytes += bytes.length;
      if (this.bytes > this.options.maxBytes)
        return this.fail({ status: STATUS.outOfResources, comment: "The instance is larger than the gateway takes." });
      if (this.bytes - this.looked > BYTES_BETWEEN_LOOKS) await this.checkRoom();
      if (this.start.length < START_BYTES)
        this.start = Buffer.concat([this.start, bytes.subarray(0, START_BYTES - this.start.length)]);
      await this.file.writeFile(bytes);
    });
  }

  async finish(): Promise<Status> {
    await this.orFail(async () => {
      this.failure ??= this.mismatch();
      if (this.failure || !this.file) return;
      await this.file.sync();
      await this.file.close();
      this.file = undefined;
      const waiting = join(this.folder, WAITING);
      await rename(this.incoming, join(waiting, `${this.name}${ENDING}`));
      await syncFolder(waiting);
    });
    if (this.failure) {
      await this.abandon();
      return this.failure;
    }
    this.spool.onWaiting();
    return SUCCESS;
  }

  async abandon(): Promise<void> {
    await this.file?.close().catch(() => undefined);
    this.file = undefined;
    await rm(this.incoming, { force: true }).catch(() => undefined);
  }

  /** Why what was sent is not what was announced; one that is deflated is looked into later. */
  private mismatch(): Status | undefined {
    const { sopClass, sopInstance, transferSyntax } = this.request;
    if (this.bytes === 0) return { status: STATUS.cannotUnderstand, comment: "The data set is empty." };
    if (isDeflated(transferSyntax)) return undefined;
    const start = startOfDataSet(this.start, isBigEndian(transferSyntax));
    if (!start) return { status: STATUS.cannotUnderstand, comment: "The data set cannot be read." };
    if (start.sopClass !== "" && start.sopClass !== sopClass)
      return { status: STATUS.doesNotMatch, comment: "The data set is of another SOP class." };
    if (start.sopInstance !== "" && start.sopInstance !== sopInstance)
      return { status: STATUS.doesNotMatch, comment: "The data set is another SOP instance." };
    return undefined;
  }

  private async checkRoom(): Promise<void> {
    this.looked = this.bytes;
    const { bavail, bsize } = await statfs(this.folder);
    if (bavail * bsize < this.options.reserveBytes) this.fail(OUT_OF_DISK);
  }

  private fail(status: Status): void {
    this.failure ??= status;
  }

  private async orFail(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.spool.onTrouble(error);
      // Full, broken or sealed: none of it is the instance's fault, and another time may be better.
      this.fail(diskError(error) ? OUT_OF_DISK : { status: STATUS.outOfResources, comment: "The gateway failed." });
    }
  }
}
