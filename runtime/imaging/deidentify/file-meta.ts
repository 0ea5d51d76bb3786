import { Chunks, ElementWriter } from "./writer";

/** Of what wrote a file: PS3.7, D.3.3.2. */
const IMPLEMENTATION = { uid: "2.25.101730214398757306921446720815063741892", version: "BRAINTUMORSTACK" };

export interface FileMeta {
  readonly transferSyntax: string;
  readonly sopClass: string | undefined;
  readonly instance: string | undefined;
}

/** Preamble, mark and group 2 of a file, which say nothing of whom it came from: PS3.10, 7.1. */
export function fileMeta({ transferSyntax, sopClass, instance }: FileMeta): readonly Buffer[] {
  const writer = new ElementWriter({ bigEndian: false, explicit: true });
  const elements = new Chunks();
  writer.element(elements, 0x0002_0001, "OB", Buffer.from([0, 1]));
  if (sopClass !== undefined) writer.text(elements, 0x0002_0002, "UI", sopClass);
  if (instance !== undefined) writer.text(elements, 0x0002_0003, "UI", instance);
  writer.text(elements, 0x0002_0010, "UI", transferSyntax);
  writer.text(elements, 0x0002_0012, "UI", IMPLEMENTATION.uid);
  writer.text(elements, 0x0002_0013, "SH", IMPLEMENTATION.version);
  const parts = elements.parts();
  const length = Buffer.alloc(4);
  length.writeUInt32LE(parts.reduce((sum, part) => sum + part.length, 0));
  const groupLength = new Chunks();
  writer.element(groupLength, 0x0002_0000, "UL", length);
  return [Buffer.alloc(128), Buffer.from("DICM"), ...groupLength.parts(), ...parts];
}
