import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";
import { DEFAULT_LIMITS, decodeScan, openDicom, RejectedImage, sniffFormat } from "../runtime/imaging";
import { ifMain, runTool, tool } from "./command";
import {
  filesOfFolder,
  formatOf,
  inFolder,
  littleEndian,
  PythonJudge,
  sentenceOf,
  unlessNothing,
} from "./python-judge";

/** What compares, and prints what it found. */
const COMPARISON = join(repositoryRoot(), "scripts", "verify-dicom.py");
/** What `scripts/setup-dicom.js` brings, which the command runs before this. */
const PYTHON = join(repositoryRoot(), ".parts", "dicom", "bin", "python");

/** A picture of any size is compared; ingest takes none that is smaller than its limit. */
const LIMITS = { minimumSide: 1 };

/** Names of arrays as numpy has them. */
const TYPES: Readonly<Record<string, string>> = {
  Uint8Array: "u1",
  Int8Array: "i1",
  Uint16Array: "<u2",
  Int16Array: "<i2",
  Uint32Array: "<u4",
  Int32Array: "<i4",
  Float32Array: "<f4",
  Float64Array: "<f8",
};

/** Decodes every DICOM file below a folder, and has pydicom decode it too. */
export function verifyDicom(args: readonly string[]): Promise<number> {
  const program = tool(
    "verify:dicom",
    "Compares every stored pixel of the DICOM files below a folder with pydicom's, and the pictures made of them.",
  )
    .requiredOption("--data <dir>", "a folder with files, in any order and with any names; nothing is written there")
    .option("--python <command>", "a Python 3.11 or newer that has pydicom and its decoders", PYTHON)
    .option("--list", "name every file, not only the first of each kind")
    .addHelpText(
      "after",
      "\nExits with 1 if a pixel differs (of lossy JPEG: by more than 1), or if a file that pydicom reads was refused for another\n" +
        "reason than its transfer syntax, and if no file is DICOM. Files of every modality are compared; which ingest takes is said beside.",
    );
  return runTool(
    program,
    async () => {
      const { data, python, list } = program.opts<{ data: string; python: string; list?: true }>();
      const files = filesOfFolder(data);
      const options = [COMPARISON, data, ...(list ? ["--list"] : [])];
      let compared = 0;
      const code = await PythonJudge.run(
        python,
        options,
        { files, peer: "pydicom", noun: "files" },
        async (path, judge) => {
          if ((await formatOf(data, path)) === "dicom") compared++;
          await tellOfFile(data, path, judge);
        },
      );
      return unlessNothing(code, compared, files.length, data, "DICOM");
    },
    args,
  );
}

/**
 * Tells of each frame as it is stored, or why it is refused; then of the pictures that ingest makes of the file, or why it
 * takes none; then that the file has ended.
 */
async function tellOfFile(data: string, path: string, judge: PythonJudge): Promise<void> {
  const file = inFolder(data, path);
  if (statSync(file).size > DEFAULT_LIMITS.bytes) {
    const message = "The file has more bytes than the limit.";
    await judge.send({ path, stored: "refused", code: "file-too-large", message });
  } else {
    const bytes = await readFile(file);
    const isDicom = sniffFormat(bytes).format === "dicom";
    await telling(path, "stored", judge, async () => {
      if (isDicom) await tellOfFrames(path, bytes, judge);
      else await judge.send({ path, stored: "refused", code: "unsupported-format", message: "It is no DICOM file." });
    });
    if (isDicom) await telling(path, "picture", judge, () => tellOfPictures(path, bytes, judge));
  }
  await judge.send({ path, end: true });
}

async function tellOfFrames(path: string, bytes: Buffer, judge: PythonJudge): Promise<void> {
  const { description, frames } = openDicom(bytes);
  for (let frame = 0; frame < description.frames; frame++) {
    const { values, photometric } = await frames.read(frame);
    const samples = littleEndian(values);
    const type = TYPES[values.constructor.name];
    const { frames: of, encoding, lossy } = description;
    await judge.send(
      { path, stored: "frame", frame, of, photometric, encoding, lossy, type, bytes: samples.length },
      samples,
    );
  }
}

async function tellOfPictures(path: string, bytes: Buffer, judge: PythonJudge): Promise<void> {
  for await (const decoded of decodeScan(bytes, LIMITS)) {
    const frame = decoded.page - 1;
    if ("rejected" in decoded) {
      await judge.send({ path, picture: "refused", frame, ...sentenceOf(decoded.rejected) });
      continue;
    }
    const { width, height, pixels } = decoded.image;
    const samples = littleEndian(pixels);
    const type = TYPES[pixels.constructor.name];
    await judge.send({ path, picture: "page", frame, width, height, type, bytes: samples.length }, samples);
  }
}

async function telling(
  path: string,
  what: "stored" | "picture",
  judge: PythonJudge,
  tell: () => Promise<void>,
): Promise<void> {
  try {
    await tell();
  } catch (error) {
    const { code, message } =
      error instanceof RejectedImage
        ? sentenceOf(error)
        : { code: "crash", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    await judge.send({ path, [what]: "refused", code, message });
  }
}

ifMain(module, verifyDicom);
