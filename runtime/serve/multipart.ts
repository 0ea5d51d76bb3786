import { buffer } from "node:stream/consumers";
import { Busboy, type BusboyInstance } from "@fastify/busboy";
import { Problem } from "./problem";

export const isMultipart = (contentType: string | undefined): contentType is string =>
  /^multipart\/form-data\b/i.test(contentType ?? "");

/** What boundaries and headers of a multipart body may add to the file, bytes. */
export const MULTIPART_OVERHEAD = 64 * 1024;

const LIMITS = { files: 4, fields: 32, parts: 36, fieldSize: MULTIPART_OVERHEAD, headerPairs: 32 };

/**
 * The first field `file` of a multipart body.
 *
 * @throws {Problem} `bad-multipart` or `no-file`
 */
export function fileOf(body: Buffer, contentType: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const unreadable = () =>
      reject(new Problem(400, "bad-multipart", "The multipart body cannot be read. Send the scan as the field file."));
    let file: Promise<Buffer> | undefined;
    let parser: BusboyInstance;
    try {
      const isPartAFile = (name?: string, _type?: string, fileName?: string) =>
        name === "file" || fileName !== undefined;
      parser = new Busboy({ headers: { "content-type": contentType }, limits: LIMITS, isPartAFile });
    } catch {
      return unreadable();
    }
    parser.on("file", (name, stream) => {
      stream.on("error", unreadable);
      if (name === "file" && !file) file = buffer(stream);
      else stream.resume();
      file?.catch(unreadable);
    });
    parser.on("error", unreadable);
    parser.on("finish", () => {
      if (file) resolve(file);
      else reject(new Problem(400, "no-file", "The multipart body has no file in the field file."));
    });
    parser.end(body);
  });
}
