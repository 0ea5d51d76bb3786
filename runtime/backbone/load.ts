import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ConfigurationError } from "../platform/config";
import { ObjectNotFoundError, ObjectTooLargeError, openStore } from "../platform/stores";
import { type BackboneManifest, backboneId, MANIFEST_FILE, parseManifest } from "./manifest";
import { UnusableNetwork, withFeatures } from "./onnx";

const MIB = 2 ** 20;
/** Most bytes that are read. */
const LARGEST = { manifest: MIB / 16, network: 512 * MIB };

/** A network that was verified to be the one of its manifest. */
export interface Backbone {
  readonly id: string;
  readonly manifest: BackboneManifest;
  /** ONNX, with the features as its only output. */
  readonly onnx: Uint8Array;
  /** Pictures that it takes at a time. */
  readonly batch: number;
}

/** What cannot be used of a backbone, as one problem or more. */
export function unusable(uri: string, problems: readonly string[]): ConfigurationError {
  return new ConfigurationError(`The backbone ${uri}`, problems);
}

/**
 * The absolute URI of a backbone: `gs://BUCKET/FOLDER` or `file:///FOLDER`, where its `backbone.json` lies.
 *
 * @param given such a URI, or a path on this machine; the manifest itself may be named
 * @throws {ConfigurationError} if it is neither
 */
export function backboneUri(given: string): string {
  const folder = given.trim().replace(new RegExp(`/+(${MANIFEST_FILE.replace(".", "\\.")})?$`), "");
  if (folder.startsWith("gs://")) {
    if (/^gs:\/\/[^/]+\/[^/]/.test(folder)) return folder;
    throw unusable(given, ["it names no folder: write gs://BUCKET/FOLDER, where backbone.json lies."]);
  }
  try {
    if (folder.startsWith("file:")) return pathToFileURL(fileURLToPath(folder)).href;
  } catch (error) {
    throw unusable(given, [`it is no file URL: ${(error as Error).message}.`]);
  }
  if (/^[a-z][a-z0-9+.-]+:/i.test(folder) || folder === "")
    throw unusable(given, ["it is neither gs://BUCKET/FOLDER, file:///FOLDER nor a path."]);
  return pathToFileURL(resolve(folder)).href;
}

/**
 * Reads a backbone and looks at all of it but its numbers.
 *
 * @throws {ConfigurationError} with every problem as a sentence
 */
export async function loadBackbone(given: string): Promise<Backbone> {
  const uri = backboneUri(given);
  const read = readerOf(uri);
  const manifest = parseManifest(await read(MANIFEST_FILE, LARGEST.manifest));
  if (!("name" in manifest)) throw unusable(uri, manifest);
  const network = await read(manifest.network, LARGEST.network);
  const sha256 = createHash("sha256").update(network).digest("hex");
  if (sha256 !== manifest.sha256)
    throw unusable(uri, [
      `${manifest.network} has the SHA-256 ${sha256}, and ${MANIFEST_FILE} names ${manifest.sha256}: it is another file, or damaged.`,
    ]);
  try {
    return { id: backboneId(manifest), manifest, ...withFeatures(network, manifest) };
  } catch (error) {
    if (!(error instanceof UnusableNetwork)) throw error;
    throw unusable(uri, [`${manifest.network} ${error.message}`]);
  }
}

type Read = (name: string, most: number) => Promise<Buffer>;

/** Reads files of a folder. Of a local one nothing is kept or made: it may be anybody's. */
function readerOf(uri: string): Read {
  const missing = (name: string) => unusable(uri, [`there is no ${name}.`]);
  const tooLarge = (name: string, size: number, most: number) =>
    unusable(uri, [`${name} has ${Math.ceil(size / MIB)} MiB; at most ${Math.ceil(most / MIB)} MiB are read.`]);
  if (uri.startsWith("gs://")) {
    const [, bucket = "", folder = ""] = /^(gs:\/\/[^/]+)\/(.+)$/.exec(uri) ?? [];
    return async (name, most) => {
      try {
        return await (await openStore(bucket)).read(`${folder}/${name}`, { atMost: most });
      } catch (error) {
        if (error instanceof ObjectNotFoundError) throw missing(name);
        if (error instanceof ObjectTooLargeError) throw tooLarge(name, error.size, most);
        throw error;
      }
    };
  }
  const folder = fileURLToPath(uri);
  return async (name, most) => {
    const path = resolve(folder, name);
    if (dirname(path) !== folder) throw missing(name);
    try {
      const found = await stat(path);
      if (!found.isFile()) throw unusable(uri, [`${name} is no file.`]);
      if (found.size > most) throw tooLarge(name, found.size, most);
      return await readFile(path);
    } catch (error) {
      if (error instanceof ConfigurationError) throw error;
      const { code } = error as NodeJS.ErrnoException;
      throw code === "ENOENT" || code === "ENOTDIR"
        ? missing(name)
        : unusable(uri, [`${name} cannot be read (${code}).`]);
    }
  };
}
