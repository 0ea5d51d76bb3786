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
  const boundary = boundaryOf(contentType);
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

/** A part of a `multipart/related` body. */
export interface RelatedPart {
  /** As it is written, parameters and all; undefined where the part does not say it. */
  readonly contentType: string | undefined;
  /** A view into the body. */
  readonly bytes: Buffer;
}

/** What may stand behind a boundary on its line; two hyphens end the body. */
const DELIMITER_END = /^(--)?[ \t]*(?:\r\n|$)/;
/** Of that, bytes. */
const LONGEST_LINE = 100;
const LONGEST_HEADERS = 16 * 1024;
/** Places that look like a boundary and are none, for each part that may be there: a body of nothing else costs seconds. */
const LOOKALIKES = 64;

/**
 * The parts of a `multipart/related` body (RFC 2046, 5.1), in its order. They stay where they lie: Busboy, made for forms,
 * would copy each.
 *
 * @throws {Problem} `bad-multipart`, `too-many-parts`
 */
export function relatedPartsOf(body: Buffer, contentType: string, most: number): readonly RelatedPart[] {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) throw notRelated("its Content-Type names no boundary");
  const delimiter = Buffer.from(`--${boundary}`, "latin1");
  const parts: RelatedPart[] = [];
  /** Where the open part begins. */
  let open: number | undefined;
  let looked = 0;
  for (let at = body.indexOf(delimiter); at >= 0; at = body.indexOf(delimiter, at + 1)) {
    if (++looked > LOOKALIKES * most) throw notRelated("its boundary stands in it too often");
    if (at > 0 && !(body[at - 2] === CR && body[at - 1] === LF)) continue;
    const after = at + delimiter.length;
    const line = DELIMITER_END.exec(body.toString("latin1", after, after + LONGEST_LINE));
    if (!line) continue;
    // The line break before a boundary is the boundary's; where nothing lies between two, it is the first one's.
    if (open !== undefined) parts.push(partOf(body.subarray(open, Math.max(open, at - 2))));
    if (parts.length > most) throw tooManyParts(most);
    if (line[1] !== undefined) return parts;
    open = after + line[0].length;
  }
  throw notRelated(open === undefined ? "its boundary is nowhere in it" : "it ends before its last boundary");
}

const [CR, LF] = [0x0d, 0x0a];
const NO_HEADERS = Buffer.from("\r\n");
const END_OF_HEADERS = Buffer.from("\r\n\r\n");

function partOf(part: Buffer): RelatedPart {
  if (part.subarray(0, 2).equals(NO_HEADERS)) return { contentType: undefined, bytes: part.subarray(2) };
  const end = part.subarray(0, LONGEST_HEADERS).indexOf(END_OF_HEADERS);
  // Without an end there is nothing that could be content.
  if (end < 0) return { contentType: undefined, bytes: part.subarray(part.length) };
  const headers = part.toString("latin1", 0, end).replace(/\r\n[ \t]+/g, " ");
  const contentType = /^content-type[ \t]*:[ \t]*(.*?)[ \t]*$/im.exec(headers)?.[1];
  return { contentType, bytes: part.subarray(end + END_OF_HEADERS.length) };
}

const tooManyParts = (most: number) =>
  new Problem(400, "too-many-parts", `At most ${most} instances are taken at a time. Send them in several requests.`);

const notRelated = (why: string) =>
  new Problem(
    400,
    "bad-multipart",
    `The multipart body cannot be read: ${why}. Send each instance as a part of type application/dicom (DICOM PS3.18, 8.6).`,
  );

function boundaryOf(contentType: string): string | undefined {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  return quoted ?? plain;
}
