import type { InputFile } from "./input-folder";
import { LABEL_FOLDERS } from "./labels";
import { contradictions, type Manifest, manifestNotes, patientsKnown } from "./manifest";
import { maskBeside } from "./names";
import type { Input } from "./open-input";

/**
 * What a folder's names and its manifest say, in lines: of its labels, and of all else.
 *
 * @param known files whose patient is known
 */
export function inputLines(
  { folder, manifest }: Input,
  known: number,
): readonly [readonly string[], readonly string[]] {
  const { files } = folder;
  const scans = files.filter(({ input }) => input.kind === "scan");
  const torn = contradictions(
    manifest,
    files,
    "ingest puts them in quarantine; in evaluate and explain the folder counts.",
  );
  return [
    LABEL_FOLDERS.map((label) => countLine(label, scans)),
    [
      patientsKnown(known, scans.length),
      maskLine(files, scans, manifest),
      ...folder.notes,
      ...manifestNotes(manifest, files),
      ...(torn === undefined ? [] : [torn]),
    ],
  ];
}

function countLine(label: string, scans: readonly InputFile[]): string {
  const own = scans.filter(({ input }) => input.kind === "scan" && input.folder === label);
  const folders = new Set(own.map(({ name }) => name.slice(0, name.indexOf("/"))).filter((name) => name !== label));
  return `${label}: ${own.length} files${folders.size > 0 ? ` (in ${[...folders].join("/, ")}/)` : ""}`;
}

function maskLine(files: readonly InputFile[], scans: readonly InputFile[], manifest: Manifest): string {
  const present = new Set(files.filter(({ input }) => input.kind === "mask").map(({ object }) => object));
  const marked = scans.filter(({ input }) => input.kind === "scan" && input.label !== "Non-Cancer");
  const used = new Set(marked.map(({ object }) => manifest.get(object)?.mask ?? maskBeside(object)));
  const found = marked.filter(({ object }) => present.has(manifest.get(object)?.mask ?? maskBeside(object))).length;
  const idle = [...present].filter((mask) => !used.has(mask));
  const rest = idle.length > 0 ? `; ${idle.length} masks belong to no such scan, ${idle[0]} the first` : "";
  return `lesion masks: for ${found} of ${marked.length} scans outside Non-Cancer${rest}`;
}
