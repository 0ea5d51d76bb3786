import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import {
  bytesOfSlice,
  drawSlice,
  type Elements,
  EXPLICIT,
  encapsulate,
  MR_STORAGE,
  mrElements,
  writeElements,
  writeFile,
} from "../imaging/dicom/dicom-writer";

/** What is planted in instances, and may be nowhere but at home. */
export const PLANTED = { name: "PLANTED^NAME", id: "PLANTED-ID-7731", accession: "PLANTED-ACC", birth: "19440203" };

export const IMPLICIT = "1.2.840.10008.1.2";
const DEFLATED = "1.2.840.10008.1.2.1.99";
const BIG_ENDIAN = "1.2.840.10008.1.2.2";

export interface Instance {
  readonly uid: string;
  readonly file: string;
  /** As it goes over the wire. */
  readonly dataSet: Buffer;
}

/** An MR slice as a file. The same number is the same instance of the same study; `more` replaces or adds elements. */
export function writeInstance(
  folder: string,
  number: number,
  more: Elements = [],
  transferSyntax = EXPLICIT,
): Instance {
  const uid = `1.2.826.0.1.3680043.9.${number}.1`;
  const [rows, columns] = [24 + (number % 7), 32];
  const pixels = bytesOfSlice(drawSlice(rows, columns));
  const native = [EXPLICIT, IMPLICIT, DEFLATED, BIG_ENDIAN].includes(transferSyntax);
  const replaced = new Set(more.map(([tag]) => tag));
  const own: Elements = [
    [0x0008_0018, "UI", uid],
    [0x0008_0020, "DA", "20240229"],
    [0x0008_0050, "SH", PLANTED.accession],
    [0x0010_0010, "PN", PLANTED.name],
    [0x0010_0020, "LO", PLANTED.id],
    [0x0010_0030, "DA", PLANTED.birth],
    [0x0020_000d, "UI", "1.2.826.0.1.3680043.9.1"],
    [0x0020_000e, "UI", "1.2.826.0.1.3680043.9.2"],
    [0x0020_0013, "IS", String(number)],
    ...(native ? ([[0x7fe0_0010, "OW", pixels]] satisfies Elements) : []),
  ];
  const header = writeElements(mrElements(rows, columns, [...own.filter(([tag]) => !replaced.has(tag)), ...more]), {
    explicit: transferSyntax !== IMPLICIT,
  });
  // What is compressed is not looked at on the way: these are no streams of their codecs.
  const plain = native ? header : Buffer.concat([header, encapsulate([pixels])]);
  const dataSet = transferSyntax === DEFLATED ? deflateRawSync(plain) : plain;
  const file = join(folder, `${number}-${transferSyntax}.dcm`);
  writeFileSync(file, writeFile(dataSet, { transferSyntax, sopClass: MR_STORAGE, sopInstance: uid }));
  return { uid, file, dataSet };
}
