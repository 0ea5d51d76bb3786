import { deflateRawSync } from "node:zlib";
import { unread } from "../dicom/failures";
import { type BegunFile, beginFile, type DicomFile, readOn } from "../dicom/parse";
import { PICTURE_ELEMENTS, TAG } from "../dicom/tags";
import { TRANSFER_SYNTAX } from "../dicom/transfer-syntaxes";
import { RejectedImage } from "../rejected";
import { DataSetWriter } from "./data-set-writer";
import { fileMeta } from "./file-meta";
import { lookThrough } from "./identifiers";
import type { ReplacementNames } from "./names";
import { type DeidentifyOptions, methodCodes } from "./options";
import { pixelWriting } from "./pixels";
import { isStandardUid, type Judge, textAfter } from "./values";
import { Chunks, ElementWriter } from "./writer";

export type { ReplacementNames } from "./names";
export type { DeidentifyOptions } from "./options";

const MEDIA_STORAGE_INSTANCE = 0x0002_0003;
const ADDED = {
  characterSet: 0x0008_0005,
  identityRemoved: 0x0012_0062,
  method: 0x0012_0063,
  methodCodes: 0x0012_0064,
  datesModified: 0x0028_0303,
} as const;

/** What is looked at before anything is written. */
const LOOKED_AT = { ...PICTURE_ELEMENTS, kept: new Set([...PICTURE_ELEMENTS.kept, MEDIA_STORAGE_INSTANCE]) };

/**
 * De-identifies a DICOM file by the basic profile of PS3.15, annex E, and the options given. What the profile does not
 * know is taken out too: private, retired and unknown attributes, and whatever does not have the form of what it says that it
 * is. Pixels, and how they are stored, stay; what is burned into them does too.
 *
 * @returns a file of the same transfer syntax
 * @throws {RejectedImage} `damaged`, `truncated`, `unsupported-encoding`, or `not-an-image` of a maker's own kind of file
 */
export function deidentify(bytes: Buffer, names: ReplacementNames, options: DeidentifyOptions = {}): Buffer {
  const begun = beginFile(bytes, LOOKED_AT);
  const file = readOn(begun, LOOKED_AT);
  const { transferSyntax, explicit } = writtenAs(begun);
  const sopClass = sopClassOf(file);
  const { identifiers, overlaysInPixels } = lookThrough(begun);
  const judge: Judge = { names, options, identifiers };
  const { bigEndian } = begun.encoding;
  const writer = new ElementWriter({ bigEndian, explicit });
  const dataSet = new DataSetWriter({ ...judge, ...pixelWriting(file, overlaysInPixels), writer, bigEndian, sopClass });
  begun.walker().walk(dataSet, dataSet.outermost);
  addStatements(dataSet, writer, options);
  const parts = [...dataSet.elements].sort(([a], [b]) => a - b).flatMap(([, chunks]) => chunks.parts());
  const instance = dataSet.instance ?? mediaStorageInstance(file, judge);
  const meta = fileMeta({ transferSyntax, sopClass, instance });
  return Buffer.concat([...meta, ...(transferSyntax === TRANSFER_SYNTAX.deflated ? deflated(parts) : parts)]);
}

/** The transfer syntax that is written: the file's; where it says none, the one that it is written in. */
function writtenAs({ transferSyntax, encoding }: BegunFile): { transferSyntax: string; explicit: boolean } {
  if (transferSyntax === undefined) {
    const { bigEndian, explicit } = encoding;
    const { implicit, bigEndian: big, explicit: little } = TRANSFER_SYNTAX;
    return { transferSyntax: explicit ? (bigEndian ? big : little) : implicit, explicit };
  }
  if (!isStandardUid(transferSyntax)) throw unread("a transfer syntax that its maker made up");
  return { transferSyntax, explicit: transferSyntax !== TRANSFER_SYNTAX.implicit };
}

function sopClassOf({ dataSet, meta }: DicomFile): string | undefined {
  const sopClass = dataSet.text(TAG.sopClass) ?? meta.text(TAG.mediaStorageSopClass);
  if (sopClass === undefined || isStandardUid(sopClass)) return sopClass;
  throw new RejectedImage(
    "not-an-image",
    "This DICOM file is of a kind that its maker made up, so nobody knows where it names its patient. Send the MR images themselves.",
  );
}

function mediaStorageInstance({ meta }: DicomFile, judge: Judge): string | undefined {
  const value = meta.bytes(MEDIA_STORAGE_INSTANCE);
  const text = { tag: MEDIA_STORAGE_INSTANCE, vr: "UI", listed: true, terms: [] };
  return value && (textAfter({ ...text, value }, judge.options.retainUids ? "K" : "U", judge) || undefined);
}

/** Says in the file what was done: PS3.15, E.1.1 and E.3.6. */
function addStatements(
  { elements, beyondAscii }: DataSetWriter,
  writer: ElementWriter,
  options: DeidentifyOptions,
): void {
  const add = (tag: number, vr: string, text: string) => {
    const own = new Chunks();
    writer.text(own, tag, vr, text);
    elements.set(tag, own);
  };
  if (beyondAscii) add(ADDED.characterSet, "CS", "ISO_IR 192");
  add(ADDED.identityRemoved, "CS", "YES");
  add(ADDED.method, "LO", "brain-tumor-stack: DICOM PS3.15 2024e, annex E");
  const dates = { full: "UNMODIFIED", modified: "MODIFIED" } as const;
  add(ADDED.datesModified, "CS", options.retainDates ? dates[options.retainDates] : "REMOVED");
  const codes = new Chunks();
  writer.sequence(codes, ADDED.methodCodes);
  for (const [code, meaning] of methodCodes(options)) {
    writer.item(codes);
    writer.text(codes, 0x0008_0100, "SH", code);
    writer.text(codes, 0x0008_0102, "SH", "DCM");
    writer.text(codes, 0x0008_0104, "LO", meaning);
    writer.endItem(codes);
  }
  writer.endSequence(codes);
  elements.set(ADDED.methodCodes, codes);
}

/** PS3.5, A.5: filled up to an even length. */
function deflated(parts: readonly Buffer[]): readonly Buffer[] {
  const bytes = deflateRawSync(Buffer.concat(parts));
  return [bytes, Buffer.alloc(bytes.length % 2)];
}
