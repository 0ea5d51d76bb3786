import type { Folders } from "../contract";
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

/** @param below where objects may be added. Default: anywhere. */
export function creatableOnly(store: ObjectStore, below?: Folders): CreatableStore {
  const { folders = [""], except = [] } = below ?? {};
  const allowed = `objects below ${folders.join(", ")}${except.length > 0 ? ` but not below ${except.join(", ")}` : ""}`;
  const isIn = (name: string, places: readonly string[]) => places.some((folder) => name.startsWith(folder));
  return {
    uri: store.uri,
    bucket: store.bucket,
    create: async (name, content, options) => {
      if (!isIn(name, folders) || isIn(name, except)) throw new OutsideRightsError(store.uri, name, "add", allowed);
      return store.create(name, content, options);
    },
  };
}

/** @param names of the objects that may be replaced, and of folders, with a slash at the end, in which all may be */
export function replaceableOnly(store: ObjectStore, names: readonly string[]): ReplaceableStore {
  return {
    uri: store.uri,
    bucket: store.bucket,
    write: async (name, content, options) => {
      if (!names.some((one) => name === one || (one.endsWith("/") && name.startsWith(one))))
        throw new OutsideRightsError(store.uri, name, "replace", names.join(", "));
      return store.write(name, content, options);
    },
  };
}
