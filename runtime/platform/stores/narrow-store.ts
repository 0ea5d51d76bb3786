import {
  type CreatableStore,
  type ObjectStore,
  OutsideRightsError,
  type ReadableStore,
  type ReplaceableStore,
} from "./object-store";

/**
 * A bucket with the methods of a right and no other: what a contract does not declare is neither in the type nor in the
 * object, so that a process on a laptop fails as it would in the cloud.
 */

export function readableOnly(store: ObjectStore): ReadableStore {
  return {
    uri: store.uri,
    bucket: store.bucket,
    stat: (name, options) => store.stat(name, options),
    read: (name, options) => store.read(name, options),
    createReadStream: (name, options) => store.createReadStream(name, options),
    list: (options) => store.list(options),
    listAll: (prefix) => store.listAll(prefix),
    materialize: (name, options) => store.materialize(name, options),
  };
}

/** @param below prefixes of the names that may be added. Default: any name. */
export function creatableOnly(store: ObjectStore, below?: readonly string[]): CreatableStore {
  return {
    uri: store.uri,
    bucket: store.bucket,
    create: async (name, content, options) => {
      if (below && !below.some((prefix) => name.startsWith(prefix)))
        throw new OutsideRightsError(store.uri, name, "add", `objects below ${below.join(", ")}`);
      return store.create(name, content, options);
    },
  };
}

/** @param names of the objects that may be replaced, and of no others */
export function replaceableOnly(store: ObjectStore, names: readonly string[]): ReplaceableStore {
  return {
    uri: store.uri,
    bucket: store.bucket,
    write: async (name, content, options) => {
      if (!names.includes(name)) throw new OutsideRightsError(store.uri, name, "replace", names.join(", "));
      return store.write(name, content, options);
    },
  };
}
