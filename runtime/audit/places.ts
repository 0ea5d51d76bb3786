import {
  type CreatableStore,
  FolderStore,
  type ObjectStore,
  openStore,
  type ReadableStore,
  type ReplaceableStore,
} from "../platform/stores";
import { LOG_FOLDER } from "./contract";

/** A bucket, or a folder in one: gs://BUCKET/FOLDER; anything else that `openStore` opens. @throws {ConfigurationError} */
export async function openPlace(uri: string): Promise<ObjectStore> {
  const [, bucket, folder] = /^(gs:\/\/[^/]+)\/(.+?)\/?$/.exec(uri) ?? [];
  if (bucket === undefined) return openStore(uri);
  return new FolderStore(await openStore(bucket), `${folder}/`);
}

/**
 * The log in a bucket of reports, for a process that may delete nothing there: a lease that is given back is written over
 * by one that nobody has.
 */
export function logIn(reports: ReadableStore & CreatableStore & ReplaceableStore): ObjectStore {
  const whole: ObjectStore = {
    ...reports,
    delete: async (name, options) => {
      await reports.write(name, "{}", { contentType: "application/json", ...options });
      return true;
    },
  };
  return new FolderStore(whole, LOG_FOLDER);
}
