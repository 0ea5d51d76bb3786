import { createHash } from "node:crypto";
import { crc32c } from "@node-rs/crc32";
import { type Json, merged, recordOf } from "../json";
import { ApiProblem, invalid, unknownToTheEcho } from "../problem";
import { NOW } from "../resources";
import type { ApiRequest, Service, World } from "../service";
import { projectNumber } from "../store";
import { checkKey } from "./kms";

const SELF = "https://www.googleapis.com/storage/v1";
/** Days a deleted object stays, where the bucket does not say: https://cloud.google.com/storage/docs/soft-delete */
const SOFT_DELETE_SECONDS = String(7 * 24 * 60 * 60);

/** https://cloud.google.com/storage/docs/json_api/v1 */
export const storage: Service = {
  name: "storage",
  endpoints: { STORAGE: "v1" },
  handle(request, world) {
    const { method, path, query } = request;
    if (path === "b" && method === "POST") return createBucket(request, world);
    const [, bucket = "", rest = ""] = /^b\/([^/]+)(?:\/(.+))?$/.exec(path) ?? [];
    if (bucket === "") throw unknownToTheEcho(`${method} storage ${path}`);
    const stored = world.store.get(`storage/b/${bucket}`);
    if (rest === "") return bucketItself(request, world, bucket, stored);
    if (rest === "iam") return policy(request, world, bucket);
    if (rest === "anywhereCaches" || rest === "anywhereCaches/") return {};
    if (rest === "notificationConfigs" && method === "POST") {
      const id = String(world.store.next());
      const topic = String(request.body.topic).replace(/^\/\/pubsub\.googleapis\.com\//, "");
      // Storage tries to publish first: https://cloud.google.com/storage/docs/reporting-changes
      if (!world.store.find(`pubsub/${topic}`))
        throw invalid(`Cloud Storage cannot publish to ${topic}: it is not there.`);
      const selfLink = `${SELF}/b/${bucket}/notificationConfigs/${id}`;
      const notification = { kind: "storage#notification", ...request.body, id, etag: id, selfLink };
      return world.store.create(`storage/b/${bucket}/notificationConfigs/${id}`, notification);
    }
    if (rest.startsWith("notificationConfigs/")) {
      if (method === "GET") return world.store.get(`storage/${path}`);
      if (method === "DELETE") return world.store.delete(`storage/${path}`) && {};
    }
    if (rest === "o" && method === "POST") return upload(request, world, bucket, stored);
    if (rest === "o" && method === "GET") {
      const items = objectsOf(world, bucket).filter(({ name }) => String(name).startsWith(query.get("prefix") ?? ""));
      return { kind: "storage#objects", ...(items.length > 0 ? { items } : {}) };
    }
    if (rest.startsWith("o/")) {
      const name = objectKey(bucket, decodeURIComponent(rest.slice(2)));
      if (method === "GET") return world.store.get(name);
      if (method === "DELETE") return world.store.delete(name) && {};
    }
    throw unknownToTheEcho(`${method} storage ${path}`);
  },
};

/** A name of an object may have slashes, and is one name here. */
const objectKey = (bucket: string, name: string) => `storage/b/${bucket}/o/${encodeURIComponent(name)}`;
const objectsOf = (world: World, bucket: string) =>
  world.store.below(`storage/b/${bucket}/o`).map(([, object]) => object);

function createBucket({ body, query }: ApiRequest, world: World): Json {
  const name = String(body.name);
  const project = query.get("project") ?? "";
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(name)) throw invalid(`Invalid bucket name: ${name}.`);
  checkKey(recordOf(body.encryption).defaultKmsKeyName, world);
  const selfLink = `${SELF}/b/${name}`;
  return world.store.create(`storage/b/${name}`, {
    storageClass: "STANDARD",
    rpo: undefined,
    softDeletePolicy: { retentionDurationSeconds: SOFT_DELETE_SECONDS, effectiveTime: NOW },
    ...completeBucket(body, name),
    kind: "storage#bucket",
    id: name,
    name,
    selfLink,
    projectNumber: projectNumber(project),
    location: String(body.location ?? "US").toUpperCase(),
    locationType: "region",
    timeCreated: NOW,
    updated: NOW,
    metageneration: "1",
    etag: "CAE=",
  });
}

function completeBucket(bucket: Json, name: string): Json {
  const { iamConfiguration, softDeletePolicy, logging, retentionPolicy, ...rest } = bucket;
  const uniform = recordOf(recordOf(iamConfiguration).uniformBucketLevelAccess);
  const logs = recordOf(logging);
  const retention = recordOf(retentionPolicy);
  return {
    ...rest,
    ...(iamConfiguration === undefined
      ? {}
      : {
          iamConfiguration: {
            publicAccessPrevention: "inherited",
            ...recordOf(iamConfiguration),
            uniformBucketLevelAccess: { ...uniform, ...(uniform.enabled ? { lockedTime: NOW } : {}) },
            bucketPolicyOnly: { ...uniform, ...(uniform.enabled ? { lockedTime: NOW } : {}) },
          },
        }),
    ...(softDeletePolicy === undefined ? {} : { softDeletePolicy: softDelete(recordOf(softDeletePolicy)) }),
    // Without a prefix, files of logs begin with the bucket's name.
    ...(logging === undefined ? {} : { logging: { logObjectPrefix: name, ...logs } }),
    ...(retentionPolicy === undefined ? {} : { retentionPolicy: { ...retention, effectiveTime: NOW } }),
  };
}

/** None at all has no time from which it counts. */
function softDelete(policy: Json): Json {
  const { retentionDurationSeconds = "0" } = policy;
  return String(retentionDurationSeconds) === "0"
    ? { retentionDurationSeconds: "0" }
    : { retentionDurationSeconds, effectiveTime: NOW };
}

function bucketItself({ method, body }: ApiRequest, world: World, name: string, stored: Json): Json {
  if (method === "GET") return stored;
  if (method === "PATCH") {
    const next = String(Number(stored.metageneration) + 1);
    return world.store.put(`storage/b/${name}`, {
      ...completeBucket(merged(stored, body), name),
      metageneration: next,
    });
  }
  if (method === "DELETE") {
    if (objectsOf(world, name).length > 0)
      throw new ApiProblem(409, "FAILED_PRECONDITION", "The bucket you tried to delete is not empty.");
    for (const [id] of world.store.below(`storage/b/${name}/notificationConfigs`)) world.store.delete(id);
    world.store.delete(`storage/b/${name}`);
    world.policies.forget(`storage/b/${name}`);
    return {};
  }
  throw unknownToTheEcho(`${method} storage b/${name}`);
}

function policy({ method, body }: ApiRequest, world: World, bucket: string): Json {
  const name = `storage/b/${bucket}`;
  return method === "PUT" ? world.policies.set(name, body) : world.policies.get(name);
}

function upload(request: ApiRequest, world: World, bucket: string, stored: Json): Json {
  const { metadata, media, mediaType } = multipart(request);
  const name = request.query.get("name") ?? String(metadata.name ?? "");
  if (name === "") throw invalid("The object has no name.");
  const key = objectKey(bucket, name);
  const { ifGenerationMatch } = Object.fromEntries(request.query);
  if (ifGenerationMatch === "0" && world.store.find(key))
    throw new ApiProblem(412, "FAILED_PRECONDITION", `${name} is there.`);
  const generation = String(1_700_000_000_000_000 + world.store.next());
  const kms = recordOf(stored.encryption).defaultKmsKeyName;
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32c(media));
  return world.store.put(key, {
    contentType: mediaType,
    ...metadata,
    kind: "storage#object",
    id: `${bucket}/${name}/${generation}`,
    name,
    bucket,
    generation,
    metageneration: "1",
    storageClass: stored.storageClass,
    size: String(media.length),
    md5Hash: createHash("md5").update(media).digest("base64"),
    crc32c: checksum.toString("base64"),
    etag: generation,
    ...(typeof kms === "string" ? { kmsKeyName: `${kms}/cryptoKeyVersions/1` } : {}),
    selfLink: `${SELF}/b/${bucket}/o/${encodeURIComponent(name)}`,
    mediaLink: `https://storage.googleapis.com/download/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?generation=${generation}&alt=media`,
    timeCreated: NOW,
    updated: NOW,
  });
}

/** An upload in one request: metadata, then the bytes. */
function multipart({ bytes, contentType, query }: ApiRequest): { metadata: Json; media: Buffer; mediaType: string } {
  const boundary = /boundary=(?:"([^"]+)"|([^;]+))/.exec(contentType);
  if (query.get("uploadType") !== "multipart" || !boundary) throw unknownToTheEcho(`an upload of ${contentType}`);
  const mark = Buffer.from(`--${boundary[1] ?? boundary[2]}`);
  const parts: { head: string; body: Buffer }[] = [];
  for (let at = bytes.indexOf(mark); ; ) {
    const next = bytes.indexOf(mark, at + mark.length);
    if (at < 0 || next < 0) break;
    const part = bytes.subarray(at + mark.length + 2, next - 2);
    const cut = part.indexOf("\r\n\r\n");
    parts.push({ head: part.subarray(0, cut).toString(), body: part.subarray(cut + 4) });
    at = next;
  }
  const [metadata, media] = parts;
  if (!metadata || !media) throw invalid("The upload has no two parts.");
  return {
    metadata: JSON.parse(metadata.body.toString() || "{}") as Json,
    media: media.body,
    mediaType: /content-type: *([^\r\n]+)/i.exec(media.head)?.[1] ?? "application/octet-stream",
  };
}
