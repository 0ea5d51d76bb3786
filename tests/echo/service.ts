import type { Policies } from "./iam-policy";
import type { Json } from "./json";
import type { Store } from "./store";

export interface ApiRequest {
  readonly method: string;
  /** Below the version, decoded: `projects/p/topics/t`. */
  readonly path: string;
  /** `v1`, or `compute/v1`'s last part. */
  readonly version: string;
  readonly query: URLSearchParams;
  readonly body: Json;
  readonly bytes: Buffer;
  readonly contentType: string;
}

/** What all services of one echo share. */
export interface World {
  readonly store: Store;
  readonly policies: Policies;
}

/** One of Google's services. */
export interface Service {
  /** The first part of every path that is led here. */
  readonly name: string;
  /** `GOOGLE_<this>_CUSTOM_ENDPOINT` of the provider, with what stands between the name and the path. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** @throws {ApiProblem} */
  handle(request: ApiRequest, world: World): Json;
}
