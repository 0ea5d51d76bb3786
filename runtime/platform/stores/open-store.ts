import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigurationError } from "../config";
import { DirectoryStore } from "./directory-store";
import { GcsStore } from "./gcs-store";
import type { ObjectStore } from "./object-store";

/**
 * Opens a bucket by its URI: `gs://bucket`, `file:///directory`, or a path on this machine.
 * @throws {ConfigurationError} for any other scheme.
 */
export async function openStore(uri: string): Promise<ObjectStore> {
  if (uri.startsWith("gs://")) return GcsStore.open(uri);
  if (uri.startsWith("file:")) {
    let path: string;
    try {
      path = fileURLToPath(uri);
    } catch (error) {
      throw new ConfigurationError("The store", [`"${uri}" is no file URL: ${(error as Error).message}`]);
    }
    return new DirectoryStore(path);
  }
  if (!isAbsolute(uri) && /^[a-z][a-z0-9+.-]+:\/\//i.test(uri)) {
    throw new ConfigurationError("The store", [`"${uri}" is neither gs://BUCKET, a file:// URL nor a path.`]);
  }
  if (uri.trim() === "") throw new ConfigurationError("The store", ["it has no name; give gs://BUCKET or a path."]);
  return new DirectoryStore(uri);
}
