import { buffer } from "node:stream/consumers";
import { Busboy } from "@fastify/busboy";
import { Problem } from "./problem";

export const isMultipart = (contentType: string | undefined): contentType is string =>
  /^multipart\/form-data\b/i.test(contentType ?? "");

/** What boundaries and headers of a multipart body may add to the file, bytes. */
export const MULTIPART_OVERHEAD = 64 * 1024;
/** A form for a scan has few; a million small ones cost a minute and gigabytes. */
const MOST_PARTS = 32;

/**
 * The first field `file` of a multipart body.
 *
 * @throws {Problem} `bad-multipart` or `no-file`
 */
export function fileOf(body: Buffer, contentType: string): Promise<Buffer> {
  const unreadable = new Problem(
    400,
    "bad-multipart",
    `The multipart body cannot be read. Send the scan as the field file, beside ${MOST_PARTS - 1} fields at most.`,
  );
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined || partsOf(body, boundary) > MOST_PARTS) return Promise.reject(unreadable);
  return new Promise((resolve, reject) => {
    const parser = new Busboy({
      headers: { "content-type": `multipart/form-data; boundary="${boundary}"` },
      limits: { fieldSize: MULTIPART_OVERHEAD, headerPairs: 32 },
      isPartAFile: (name, _type, fileName) => name === "file" || fileName !== undefined,
    });
    const fail = () => reject(unreadable);
    let file: Promise<Buffer> | undefined;
    parser.on("file", (name, stream) => {
      stream.on("error", fail);
      if (name !== "file" || file) {
        stream.resume();
        return;
      }
      file = buffer(stream);
      file.catch(fail);
    });
    parser.on("error", fail);
    parser.on("finish", () => {
      if (file) resolve(file);
      else reject(new Problem(400, "no-file", "The multipart body has no file in the field file."));
    });
    parser.end(body);
  });
}

/** Counted before anything is parsed, and no further than it matters. */
function partsOf(body: Buffer, boundary: string): number {
  const delimiter = Buffer.from(`--${boundary}`, "latin1");
  let delimiters = 0;
  let at = body.indexOf(delimiter);
  while (at >= 0 && delimiters <= MOST_PARTS + 1) {
    delimiters++;
    at = body.indexOf(delimiter, at + delimiter.length);
  }
  return delimiters - 1;
}
