/** Something that stands in for Google's APIs: `tests/echo` is one. */
export interface GoogleApis {
  /** Variables that lead the provider there, such as GOOGLE_STORAGE_CUSTOM_ENDPOINT. */
  readonly environment: Readonly<Record<string, string>>;
  /** Every resource and right that there is now. */
  contents(): readonly ApiEntry[];
  /** Requests that it does not know. */
  readonly gaps: readonly string[];
  stop(): Promise<void>;
}

export interface ApiEntry {
  /** `storage/b/data`, or a right: `storage/b/data roles/storage.objectViewer user:a@b.c`. */
  readonly name: string;
  /** What the user agent of whoever made it says behind `maker/`. */
  readonly by: string;
  /** Of a version of a key, such as DESTROY_SCHEDULED; DELETED where a name is kept of what is gone. */
  readonly state?: string;
}

/** @param given what somebody else has made: `storage/b/NAME`, `kms/projects/.../cryptoKeys/K` */
export type StartApis = (given: readonly string[]) => Promise<GoogleApis>;
