import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bucket, File, FileMetadata } from "@google-cloud/storage";
import { ConfigurationError } from "../config";
import { onDisk } from "../disk";
import { Crc32cStream, crc32cOf } from "./crc32c";
import { checkObjectName } from "./object-name";
import {
  ChecksumMismatchError,
  type CreateOptions,
  type ErasableStore,
  type ListOptions,
  type ListPage,
  type ObjectContent,
  type ObjectInfo,
  ObjectNotFoundError,
  ObjectTooLargeError,
  PreconditionFailedError,
  type ReadOptions,
  type WriteOptions,
} from "./object-store";

/** Content from this size on is sent in pieces that can be repeated one by one. */
const RESUMABLE_BYTES = 8 * 1024 * 1024;
const FIELDS = "name,generation,size,crc32c,contentType,metadata,updated";
const DEFAULT_CONTENT_TYPE = "application/octet-stream";
const READ_ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

/**
 * A bucket of Google Cloud Storage.
 *
 * Every upload carries the CRC32C of what is sent where it is known beforehand, so that the server refuses damaged
 * bytes, and is compared with the server's afterwards where it is not. The client repeats a request by itself only
 * where repeating cannot do harm: reads, and writes with `ifGenerationMatch`.
 *
 * Credentials are the application default ones. `GCS_API_ENDPOINT` (e.g. `http://127.0.0.1:4443`) directs every
 * request, without credentials, to a test server.
 */
export class GcsStore implements ErasableStore {
  readonly uri: string;
  readonly bucket: string;

  private constructor(private readonly remote: Bucket) {
    this.bucket = remote.name;
    this.uri = `gs://${remote.name}`;
  }

  /** @param uri `gs://bucket`. Makes no request. @throws {ConfigurationError} */
  static async open(uri: string, endpoint = process.env.GCS_API_ENDPOINT): Promise<GcsStore> {
    const bucket = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])\/?$/.exec(uri)?.[1];
    if (!bucket) {
      throw new ConfigurationError("The store", [
        `"${uri}" is no bucket: write gs://BUCKET, in small letters, with no folder behind it.`,
      ]);
    }
    // Loaded when needed: a laptop without a cloud starts faster without it.
    const { Storage } = require("@google-cloud/storage") as typeof import("@google-cloud/storage");
    const storage = new Storage(endpoint ? { apiEndpoint: endpoint, projectId: "local" } : {});
    return new GcsStore(storage.bucket(bucket));
  }

  async stat(name: string, options: ReadOptions = {}): Promise<ObjectInfo | undefined> {
    try {
      return await this.metadata(name, options.generation);
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return undefined;
      throw error;
    }
  }

  async read(name: string, options: ReadOptions = {}): Promise<Buffer> {
    const object = await this.metadata(name, options.generation);
    ObjectTooLargeError.check(this.uri, object, options.atMost);
    for (let attempt = 1; ; attempt++) {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of this.verified(object)) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks);
      } catch (error) {
        const gone = statusOf(error) === 404 && options.generation === undefined;
        // A bucket without versioning loses the old generation when somebody writes between the two requests.
        if (gone) return this.read(name, { ...options, generation: (await this.metadata(name)).generation });
        if (attempt === READ_ATTEMPTS || !isTransient(error)) throw this.translate(error, name);
        await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      }
    }
  }

  async createReadStream(name: string, options: ReadOptions = {}): Promise<Readable> {
    return this.verified(await this.metadata(name, options.generation));
  }

  create(name: string, content: ObjectContent, options: CreateOptions = {}): Promise<ObjectInfo> {
    return this.write(name, content, { ...options, ifGenerationMatch: 0 });
  }

  async write(name: string, content: ObjectContent, options: WriteOptions = {}): Promise<ObjectInfo> {
    checkObjectName(this.uri, name);
    if (!(content instanceof Readable)) {
      const bytes = typeof content === "string" ? Buffer.from(content) : Buffer.from(content);
      const actual = crc32cOf(bytes);
      if (options.crc32c !== undefined && options.crc32c !== actual) {
        throw new ChecksumMismatchError(this.uri, name, options.crc32c, actual);
      }
      return this.send(name, bytes, actual, options);
    }
    return this.sendStream(name, content, options);
  }

  async delete(name: string, options: { readonly ifGenerationMatch?: number } = {}): Promise<boolean> {
    const live = await this.stat(name);
    if (!live) return false;
    const expected = options.ifGenerationMatch;
    if (expected !== undefined && live.generation !== expected) {
      throw new PreconditionFailedError(this.uri, name, expected);
    }
    try {
      await this.remote.file(name).delete(expected === undefined ? {} : { ifGenerationMatch: expected });
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw this.translate(error, name, expected);
    }
  }

  async list(options: ListOptions = {}): Promise<ListPage> {
    const maxResults = options.pageSize ?? 1000;
    if (!Number.isInteger(maxResults) || maxResults < 1) {
      throw new RangeError(`A page holds 1 or more objects, not ${maxResults}.`);
    }
    try {
      // With a choice of fields the client gives plain objects as files: the answer itself is read instead.
      const [, , response] = await this.remote.getFiles({
        autoPaginate: false,
        maxResults,
        fields: `nextPageToken,items(${FIELDS})`,
        ...(options.prefix ? { prefix: options.prefix } : {}),
        ...(options.from ? { startOffset: options.from } : {}),
        ...(options.pageToken ? { pageToken: options.pageToken } : {}),
      });
      const { items = [], nextPageToken } = (response ?? {}) as { items?: FileMetadata[]; nextPageToken?: string };
      return {
        // Names that end in a slash are the console's folder markers, not objects of this port.
        objects: items.map(infoOf).filter(({ name }) => isNamed(name)),
        nextPageToken: nextPageToken || undefined,
      };
    } catch (error) {
      throw this.missingBucket(error) ?? this.translate(error, options.prefix ?? "");
    }
  }

  async *listAll(prefix = ""): AsyncGenerator<ObjectInfo> {
    let pageToken: string | undefined;
    do {
      const page: ListPage = await this.list({ prefix, ...(pageToken ? { pageToken } : {}) });
      yield* page.objects;
      pageToken = page.nextPageToken;
    } while (pageToken);
  }

  async materialize(name: string, options: ReadOptions = {}): Promise<{ path: string; release(): Promise<void> }> {
    const source = await this.createReadStream(name, options);
    const folder = await mkdtemp(join(tmpdir(), "object-"));
    const release = () => rm(folder, { recursive: true, force: true });
    try {
      const path = join(folder, "data");
      await onDisk(path, () => pipeline(source, createWriteStream(path)));
      return { path, release };
    } catch (error) {
      await release();
      throw this.translate(error, name);
    }
  }

  /** The bucket's soft delete keeps what goes here for its days, and nobody can make that shorter. */
  async forget(name: string): Promise<boolean> {
    checkObjectName(this.uri, name);
    return (await this.erase(name, ({ name: found }) => found === name)) > 0;
  }

  async forgetEarlier(name: string): Promise<void> {
    checkObjectName(this.uri, name);
    await this.erase(name, ({ name: found, live }) => found === name && !live);
  }

  async forgetNoncurrent(): Promise<void> {
    await this.erase("", ({ live }) => !live);
  }

  /** @returns how many generations went */
  private async erase(
    prefix: string,
    meant: (version: { readonly name: string; readonly live: boolean }) => boolean,
  ): Promise<number> {
    let gone = 0;
    let pageToken: string | undefined;
    do {
      let items: FileMetadata[];
      try {
        const [, , response] = await this.remote.getFiles({
          autoPaginate: false,
          versions: true,
          fields: "nextPageToken,items(name,generation,timeDeleted)",
          ...(prefix === "" ? {} : { prefix }),
          ...(pageToken ? { pageToken } : {}),
        });
        const page = (response ?? {}) as { items?: FileMetadata[]; nextPageToken?: string };
        items = page.items ?? [];
        pageToken = page.nextPageToken || undefined;
      } catch (error) {
        throw this.missingBucket(error) ?? this.translate(error, prefix);
      }
      for (const { name, generation, timeDeleted } of items)
        if (name !== undefined && meant({ name, live: !timeDeleted })) {
          // By its generation: nothing is left behind, and nothing that came meanwhile goes.
          await this.file(name, Number(generation)).delete({ ignoreNotFound: true });
          gone++;
        }
    } while (pageToken);
    return gone;
  }

  private file(name: string, generation?: number): File {
    return this.remote.file(name, generation === undefined ? {} : { generation });
  }

  private async metadata(name: string, generation?: number): Promise<ObjectInfo> {
    checkObjectName(this.uri, name);
    try {
      const [metadata] = await this.file(name, generation).getMetadata({ fields: FIELDS });
      return infoOf(metadata);
    } catch (error) {
      throw this.translate(error, generation === undefined ? name : `${name}#${generation}`);
    }
  }

  /** The stored bytes of one generation. The client's own check is skipped where a server does not send the header. */
  private verified(object: ObjectInfo): Readable {
    const source = this.file(object.name, object.generation).createReadStream({ validation: false, decompress: false });
    const checked = new Crc32cStream((actual) => {
      if (actual !== object.crc32c) throw new ChecksumMismatchError(this.uri, object.name, object.crc32c, actual);
    });
    source.on("error", (error) => checked.destroy(this.translate(error, object.name)));
    checked.on("close", () => source.destroy());
    return source.pipe(checked);
  }

  private async send(name: string, bytes: Buffer, crc32c: string, options: WriteOptions): Promise<ObjectInfo> {
    const file = this.remote.file(name);
    try {
      await file.save(bytes, {
        resumable: bytes.length >= RESUMABLE_BYTES,
        ...uploadOptions(options, crc32c),
      });
    } catch (error) {
      throw this.missingBucket(error) ?? this.translate(error, name, options.ifGenerationMatch);
    }
    return this.confirm(infoOf(file.metadata), crc32c);
  }

  private async sendStream(name: string, content: Readable, options: WriteOptions): Promise<ObjectInfo> {
    const file = this.remote.file(name);
    const sum = new Crc32cStream();
    try {
      const upload = file.createWriteStream({ resumable: true, ...uploadOptions(options, options.crc32c) });
      await pipeline(content, sum, upload);
    } catch (error) {
      if (statusOf(error) === 400 && options.crc32c !== undefined && options.crc32c !== sum.value) {
        throw new ChecksumMismatchError(this.uri, name, options.crc32c, sum.value, { cause: error });
      }
      throw this.missingBucket(error) ?? this.translate(error, name, options.ifGenerationMatch);
    }
    return this.confirm(infoOf(file.metadata), options.crc32c ?? sum.value);
  }

  /** What the server stored is what was sent; otherwise that generation, and no other, is removed again. */
  private async confirm(object: ObjectInfo, sent: string): Promise<ObjectInfo> {
    if (object.crc32c === sent) return object;
    await this.file(object.name, object.generation).delete({ ignoreNotFound: true });
    throw new ChecksumMismatchError(this.uri, object.name, sent, object.crc32c);
  }

  /** Where an object need not exist, what is not found is the bucket. */
  private missingBucket(error: unknown): Error | undefined {
    if (statusOf(error) !== 404) return undefined;
    return new ConfigurationError("The store", [`${this.uri} does not exist, or is not visible to you.`]);
  }

  private translate(error: unknown, name: string, ifGenerationMatch?: number): Error {
    const status = statusOf(error);
    if (status === 404) {
      if (/bucket does not exist/i.test((error as Error).message)) return this.missingBucket(error) as Error;
      return new ObjectNotFoundError(this.uri, name, { cause: error });
    }
    if (status === 412) return new PreconditionFailedError(this.uri, name, ifGenerationMatch ?? 0, { cause: error });
    return error as Error;
  }
}

function uploadOptions(options: WriteOptions, crc32c: string | undefined) {
  const contentType = options.contentType ?? DEFAULT_CONTENT_TYPE;
  return {
    // The client's validation deletes the live object when it fails, whoever wrote that; `confirm` does not.
    validation: false,
    metadata: { contentType, metadata: { ...options.metadata }, ...(crc32c === undefined ? {} : { crc32c }) },
    ...(options.ifGenerationMatch === undefined
      ? {}
      : { preconditionOpts: { ifGenerationMatch: options.ifGenerationMatch } }),
  };
}

function infoOf(metadata: FileMetadata): ObjectInfo {
  return {
    name: String(metadata.name),
    generation: Number(metadata.generation),
    size: Number(metadata.size ?? 0),
    crc32c: String(metadata.crc32c ?? ""),
    contentType: metadata.contentType,
    metadata: Object.fromEntries(Object.entries(metadata.metadata ?? {}).map(([key, value]) => [key, String(value)])),
    updated: new Date(metadata.updated ?? 0).toISOString(),
  };
}

function isNamed(name: string): boolean {
  try {
    checkObjectName("", name);
    return true;
  } catch {
    return false;
  }
}

function statusOf(error: unknown): number {
  return Number((error as { code?: unknown }).code ?? 0);
}

function isTransient(error: unknown): boolean {
  const status = statusOf(error);
  if ([408, 429, 500, 502, 503, 504].includes(status)) return true;
  const code = String((error as { code?: unknown }).code ?? "");
  return ["ECONNRESET", "ECONNREFUSED", "ETIMEDOUT", "EPIPE", "EAI_AGAIN", "ERR_STREAM_PREMATURE_CLOSE"].includes(code);
}
