import { buffer } from "node:stream/consumers";
import { Busboy } from "@fastify/busboy";
import { Problem } from "./problem";

export const isMultipart = (contentType: string | undefined): contentType is string =>
  /^multipart\/form-data\b/i.test(contentType ?? "");

/** What boundaries and headers of a multipart body may add to the files, bytes. */
export const MULTIPART_OVERHEAD = 64 * 1024;
/** Fields that may stand beside the files; a million small ones cost a minute and gigabytes. */
const MOST_OTHERS = 31;

/** A file of a form. */
export interface FormFile {
  /** As the sender calls it; undefined where it does not. */
  readonly name: string | undefined;
  readonly bytes: Buffer;
}

/**
 * The first field `file` of a multipart body.
 *
 * @throws {Problem} `bad-multipart` or `no-file`
 */
export async function fileOf(body: Buffer, contentType: string): Promise<Buffer> {
  const [first] = await filesOf(body, contentType, 1, "first");
  return (first as FormFile).bytes;
}

/**
 * The fields `file` of a multipart body, in its order; other fields are skipped.
 *
 * @param most files; of more only the first ones count, or there is a problem
 * @throws {Problem} `bad-multipart`, `no-file`, `too-many-files`
 */
export function filesOf(
  body: Buffer,
  contentType: string,
  most: number,
  more: "first" | "refuse" = "refuse",
): Promise<readonly FormFile[]> {
  const parts = most + MOST_OTHERS;
  const unreadable = new Problem(
    400,
    "bad-multipart",
    `The multipart body cannot be read. Send each scan as a file in a field file, with no more than ${parts} fields in all.`,
  );
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined || partsOf(body, boundary, parts) > parts) return Promise.reject(unreadable);
  return new Promise((resolve, reject) => {
    const parser = new Busboy({
      headers: { "content-type": `multipart/form-data; boundary="${boundary}"` },
      limits: { fieldSize: MULTIPART_OVERHEAD, headerPairs: 32 },
      // One file may come without a name, as a plain field; of many each has one.
      isPartAFile: (name, _type, fileName) => (name === "file" && more === "first") || fileName !== undefined,
    });
    const fail = () => reject(unreadable);
    const files: Promise<FormFile>[] = [];
    let tooMany = false;
    parser.on("file", (field, stream, name) => {
      stream.on("error", fail);
      if (field !== "file" || files.length === most) {
        tooMany ||= field === "file";
        stream.resume();
        return;
      }
      const file = buffer(stream).then((bytes) => ({ name, bytes }));
      file.catch(fail);
      files.push(file);
    });
    parser.on("field", (name) => {
      if (name === "file") fail();
    });
    parser.on("error", fail);
    parser.on("finish", () => {
      if (tooMany && more === "refuse") {
        reject(
          new Problem(
            400,
            "too-many-files",
            `At most ${most} files are taken at a time. Send them in several batches.`,
          ),
        );
      } else if (files.length > 0) resolve(Promise.all(files));
      else reject(new Problem(400, "no-file", "The multipart body has no file in the field file."));
    });
    parser.end(body);
  });
}

/** Counted before anything is parsed, and no further than it matters. */
function partsOf(body: Buffer, boundary: string, most: number): number {
  const delimiter = Buffer.from(`--${boundary}`, "latin1");
  let delimiters = 0;
  let at = body.indexOf(delimiter);
  while (at >= 0 && delimiters <= most + 1) {
    delimiters++;
    at = body.indexOf(delimiter, at + delimiter.length);
  }
  return delimiters - 1;
}
