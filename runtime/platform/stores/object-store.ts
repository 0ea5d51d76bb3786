import type { Readable } from "node:stream";
import { REMOVED, type WithMessageForLogs } from "../names-in-logs";

/**
 * What is known of one object without reading it.
 *
 * `generation` grows with every write of a name and never repeats (Google Cloud Storage: microseconds since the epoch;
 * the directory adapter: 1, 2, ...). Both fit a JavaScript safe integer.
 */
export interface ObjectInfo {
  readonly name: string;
  readonly generation: number;
  /** Bytes. */
  readonly size: number;
  /** CRC32C (Castagnoli) of the content, base64 of the big-endian 32-bit value, as Google Cloud Storage writes it. */
  readonly crc32c: string;
  readonly contentType: string | undefined;
  /** Custom metadata: short strings that live and die with this generation. */
  readonly metadata: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly updated: string;
}

export interface WriteOptions {
  /**
   * Write only if the live generation is this one; 0: only if there is no live object.
   * Without it the write replaces whatever is there.
   */
  readonly ifGenerationMatch?: number;
  readonly contentType?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Expected CRC32C (base64). The write fails with {@link ChecksumMismatchError}, and stores nothing, if it differs. */
  readonly crc32c?: string;
}

/** Of a write that never replaces anything. */
export type CreateOptions = Omit<WriteOptions, "ifGenerationMatch">;

export type ObjectContent = Buffer | Uint8Array | string | Readable;

export interface ReadOptions {
  /** Read this generation; without it, the live one. */
  readonly generation?: number;
  /** Bytes: what is larger is not read, and {@link ObjectTooLargeError} thrown. Of `read` alone. */
  readonly atMost?: number;
}

export interface ListOptions {
  readonly prefix?: string;
  /** The first name that is listed, if there is one, in the order of the UTF-8 bytes; those before it are left out. */
  readonly from?: string;
  /** At most this many objects a page. Default 1000, as in the Google Cloud Storage JSON API. */
  readonly pageSize?: number;
  readonly pageToken?: string;
}

export interface ListPage {
  /** In ascending order of the UTF-8 bytes of the name. */
  readonly objects: readonly ObjectInfo[];
  readonly nextPageToken: string | undefined;
}

/** Which bucket it is, whatever one may do with it. */
export interface NamedStore {
  /** `gs://bucket` or `file:///directory`. */
  readonly uri: string;
  /** The bucket's name: what notification events carry. */
  readonly bucket: string;
}

/** A bucket whose objects may be listed and read. */
export interface ReadableStore extends NamedStore {
  /** The live object, or the generation that is asked for; undefined where there is none. */
  stat(name: string, options?: ReadOptions): Promise<ObjectInfo | undefined>;

  /**
   * The whole content, verified against the stored CRC32C.
   * @throws {ObjectNotFoundError} {@link ChecksumMismatchError} {@link ObjectTooLargeError}
   */
  read(name: string, options?: ReadOptions): Promise<Buffer>;

  /** The content as a stream; it errors with {@link ChecksumMismatchError} at its end if the bytes are not what was stored. */
  createReadStream(name: string, options?: ReadOptions): Promise<Readable>;

  list(options?: ListOptions): Promise<ListPage>;

  /** Every object below a prefix, page after page. */
  listAll(prefix?: string): AsyncGenerator<ObjectInfo>;

  /**
   * A path on this machine that holds the object's content, for libraries that open files themselves (DuckDB, sharp).
   * Read-only. A remote adapter downloads and verifies; `release` frees what it took.
   */
  materialize(name: string, options?: ReadOptions): Promise<{ readonly path: string; release(): Promise<void> }>;
}

/** A bucket to which objects may be added. */
export interface CreatableStore extends NamedStore {
  /**
   * Adds an object, atomically, and never replaces one.
   * @throws {PreconditionFailedError} if there is one of that name; {@link ChecksumMismatchError}
   */
  create(name: string, content: ObjectContent, options?: CreateOptions): Promise<ObjectInfo>;
}

/** A bucket in which objects may be replaced. */
export interface ReplaceableStore extends NamedStore {
  /**
   * Creates or replaces an object, atomically: a reader sees the old content or the new, also after a crash.
   * @throws {PreconditionFailedError} {@link ChecksumMismatchError}
   */
  write(name: string, content: ObjectContent, options?: WriteOptions): Promise<ObjectInfo>;
}

/**
 * One bucket. Two adapters behave alike: a directory ({@link file://./directory-store.ts}) and Google Cloud Storage
 * ({@link file://./gcs-store.ts}); `tests/runtime/platform` runs one suite against both. Code asks for the least that it
 * needs: {@link ReadableStore}, {@link CreatableStore}, both, or all of this.
 *
 * Names are slash-separated UTF-8 strings of 1 to 1,024 bytes with no empty, `.` or `..` segment and no control character.
 * Every operation on another name throws {@link InvalidObjectNameError}.
 */
export interface ObjectStore extends ReadableStore, CreatableStore, ReplaceableStore {
  /** Deletes the live object. False if there was none. @throws {PreconditionFailedError} */
  delete(name: string, options?: { readonly ifGenerationMatch?: number }): Promise<boolean>;
}

/** A bucket from which objects can be taken away in every generation. */
export interface ErasableStore extends ObjectStore {
  /** Takes every generation of an object away. False if there was none. */
  forget(name: string): Promise<boolean>;
  /** Takes away every generation of an object but the newest. */
  forgetEarlier(name: string): Promise<void>;
  /** Takes away every generation that is not the live one, of all objects. */
  forgetNoncurrent(): Promise<void>;
}

/** @throws if it cannot do so */
export function erasable(store: ObjectStore): ErasableStore {
  if ("forgetNoncurrent" in store) return store as ErasableStore;
  throw new Error(`${store.uri} keeps generations that cannot be taken away.`);
}

/** Buckets in which no object is called as a person called a file. */
const OWN_NAMES = /(?:curated|processed|models|reports|warehouse)$/;

export class ObjectStoreError extends Error implements WithMessageForLogs {
  readonly forLogs: string;

  constructor(
    readonly store: string,
    readonly object: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
    this.forLogs = object === "" || OWN_NAMES.test(store) ? message : message.replaceAll(object, REMOVED);
  }
}

export class ObjectNotFoundError extends ObjectStoreError {
  constructor(store: string, object: string, options?: ErrorOptions) {
    super(store, object, `${store}/${object} does not exist.`, options);
  }
}

export class PreconditionFailedError extends ObjectStoreError {
  constructor(store: string, object: string, expected: number, options?: ErrorOptions) {
    super(
      store,
      object,
      expected === 0
        ? `${store}/${object} exists already and is not overwritten.`
        : `${store}/${object} has changed: it is no longer at generation ${expected}. Read it again and retry.`,
      options,
    );
  }
}

export class ChecksumMismatchError extends ObjectStoreError {
  constructor(store: string, object: string, expected: string, actual: string, options?: ErrorOptions) {
    super(
      store,
      object,
      `${store}/${object} is damaged: its CRC32C is ${actual}, and ${expected} was expected. Upload it again.`,
      options,
    );
  }
}

export class ObjectTooLargeError extends ObjectStoreError {
  constructor(
    store: string,
    object: string,
    /** Bytes. */
    readonly size: number,
    readonly atMost: number,
  ) {
    super(store, object, `${store}/${object} has ${size} bytes; at most ${atMost} are read.`);
  }

  /** @throws if an object is larger than the limit. */
  static check(store: string, { name, size }: Pick<ObjectInfo, "name" | "size">, atMost: number | undefined): void {
    if (atMost !== undefined && size > atMost) throw new ObjectTooLargeError(store, name, size, atMost);
  }
}

/** An object that the process has no right to add, or to replace. */
export class OutsideRightsError extends ObjectStoreError {
  constructor(store: string, object: string, what: "add" | "replace", allowed: string) {
    const done = { add: "added", replace: "replaced" }[what];
    super(store, object, `${store}/${object} is not ${done}: this process may ${what} ${allowed} only.`);
  }
}

export class InvalidObjectNameError extends ObjectStoreError {
  constructor(store: string, object: string, why: string) {
    super(store, object, `"${object}" cannot be the name of an object in ${store}: ${why}.`);
  }
}
