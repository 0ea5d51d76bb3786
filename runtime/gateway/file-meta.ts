import { IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION, type StoreRequest } from "./dimse";

export const isDeflated = (transferSyntax: string) => transferSyntax === "1.2.840.10008.1.2.1.99";
export const isBigEndian = (transferSyntax: string) => transferSyntax === "1.2.840.10008.1.2.2";

/**
 * What stands in a file in front of a data set as it came: preamble, mark and group 2, which is Explicit VR Little Endian
 * whatever follows. DICOM PS3.10, 7.1.
 */
export function fileMetaInformation(request: StoreRequest): Buffer {
  const elements = Buffer.concat([
    element(0x0001, "OB", Buffer.from([0, 1])),
    element(0x0002, "UI", text(request.sopClass, "\0")),
    element(0x0003, "UI", text(request.sopInstance, "\0")),
    element(0x0010, "UI", text(request.transferSyntax, "\0")),
    element(0x0012, "UI", text(IMPLEMENTATION_CLASS, "\0")),
    element(0x0013, "SH", text(IMPLEMENTATION_VERSION, " ")),
    element(0x0016, "AE", text(request.callingAet.replace(/[^ -~]|\\/g, ""), " ")),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(elements.length);
  return Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), element(0x0000, "UL", length), elements]);
}

function element(number: number, vr: string, value: Buffer): Buffer {
  const long = vr === "OB";
  const head = Buffer.alloc(long ? 12 : 8);
  head.writeUInt16LE(0x0002, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, "latin1");
  if (long) head.writeUInt32LE(value.length, 8);
  else head.writeUInt16LE(value.length, 6);
  return Buffer.concat([head, value]);
}

const text = (value: string, pad: string) => Buffer.from(value.length % 2 === 0 ? value : value + pad, "latin1");

/** The data set of a file that begins with {@link fileMetaInformation}. */
export function dataSetOf(file: Buffer): Buffer {
  // The value of the group's length, behind preamble, mark and its own head.
  const at = 128 + 4 + 8;
  return file.subarray(at + 4 + file.readUInt32LE(at));
}
