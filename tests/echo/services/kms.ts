import { type Json, recordOf } from "../json";
import { failedPrecondition, invalid, notFound } from "../problem";
import { type Context, NOW, resourceService } from "../resources";
import type { World } from "../service";

const RINGS = "projects/*/locations/*/keyRings";
const KEYS = `${RINGS}/*/cryptoKeys`;
const DAY = 24 * 60 * 60;

/**
 * Rings and keys stay for ever, and so do versions, whose material is destroyed after a time.
 * https://cloud.google.com/kms/docs/reference/rest
 */
export const kms = resourceService({
  name: "kms",
  endpoints: { KMS: "v1" },
  kinds: [
    {
      collection: RINGS,
      id: ({ query }) => query.get("keyRingId"),
      complete: (ring, { name, before }) => ({ ...ring, name, createTime: before?.createTime ?? NOW }),
    },
    {
      collection: KEYS,
      needs: (collection) => `kms/${collection.replace(/\/cryptoKeys$/, "")}`,
      id: ({ query }) => query.get("cryptoKeyId"),
      complete: completeKey,
    },
    {
      collection: `${KEYS}/*/cryptoKeyVersions`,
      id: (_request, { store }) => String(store.next()),
      verbs: {
        destroy: (version, _request, { name, collection, world }) => {
          const destroyed = { ...version, state: "DESTROY_SCHEDULED", destroyTime: NOW };
          world.store.put(`kms/${name}`, destroyed);
          const key = `kms/${collection.replace(/\/cryptoKeyVersions$/, "")}`;
          const { primary, ...rest } = world.store.get(key);
          world.store.put(
            key,
            recordOf(primary).name === name ? { ...rest, primary: destroyed } : { ...rest, primary },
          );
          return destroyed;
        },
      },
    },
  ],
});

function completeKey(key: Json, { name, world, before }: Context): Json {
  const template = {
    protectionLevel: "SOFTWARE",
    algorithm: "GOOGLE_SYMMETRIC_ENCRYPTION",
    ...recordOf(key.versionTemplate),
  };
  const symmetric = key.purpose === "ENCRYPT_DECRYPT";
  let primary = before?.primary;
  if (before === undefined) {
    const version = { name: `${name}/cryptoKeyVersions/1`, state: "ENABLED", createTime: NOW, ...template };
    world.store.put(`kms/${version.name}`, version);
    primary = symmetric ? version : undefined;
  }
  return {
    ...key,
    name,
    createTime: NOW,
    destroyScheduledDuration: key.destroyScheduledDuration ?? `${30 * DAY}s`,
    versionTemplate: template,
    ...(primary === undefined ? {} : { primary }),
  };
}

/** A key of somebody else's, with its ring. @param stored `kms/projects/p/locations/l/keyRings/r/cryptoKeys/k` */
export function giveKey(stored: string, { store }: World): void {
  const name = stored.replace(/^kms\//, "");
  const ring = name.replace(/\/cryptoKeys\/.*$/, "");
  store.put(`kms/${ring}`, { name: ring, createTime: NOW });
  const primary = { name: `${name}/cryptoKeyVersions/1`, state: "ENABLED", createTime: NOW };
  store.put(stored, { name, purpose: "ENCRYPT_DECRYPT", createTime: NOW, primary });
}

/** A key that is in the echo's keys must be named in full and be usable; others are some other project's. */
export function checkKey(key: unknown, world: World): void {
  if (key === undefined || key === "") return;
  if (typeof key !== "string" || !/^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/.test(key))
    throw invalid(`${String(key)} is no name of a key.`);
  const ring = key.replace(/\/cryptoKeys\/[^/]+$/, "");
  if (world.store.find(`kms/${ring}`) && !world.store.find(`kms/${key}`)) throw notFound(key);
  const state = recordOf(world.store.find(`kms/${key}`)?.primary).state;
  if (state !== undefined && state !== "ENABLED") throw failedPrecondition(`The key ${key} has no enabled version.`);
}
