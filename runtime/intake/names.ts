import { LABEL_FOLDERS, LABELS, type Label, type LabelFolder } from "./labels";

/** The table beside the label folders that says more about the scans. */
export const MANIFEST = "manifest.csv";
const MASKS = "masks/";

/** Where the lesion mask of a scan lies unless the manifest says otherwise: `masks/<the scan's name, without ending>.png`. */
export function maskBeside(scan: string): string {
  const stem = scan.slice(scan.lastIndexOf("/") + 1).replace(/\.[^.]+$/, "");
  return `${MASKS}${stem}.png`;
}

/** What an object's name below landing stands for. */
export type InputKind =
  /** `label` is undefined below `Unlabelled/`. */
  | { readonly kind: "scan"; readonly folder: LabelFolder; readonly label: Label | undefined }
  /** Never a scan and never quarantined. */
  | { readonly kind: "manifest" | "mask" }
  /** Quarantined; `message` says why, and what was perhaps meant. */
  | { readonly kind: "stray"; readonly message: string };

/** @param path relative, with slashes. */
export function classify(path: string): InputKind {
  if (path === MANIFEST) return { kind: "manifest" };
  if (path.startsWith(MASKS)) return { kind: "mask" };
  const slash = path.indexOf("/");
  const folder = LABEL_FOLDERS.find((name) => name === path.slice(0, slash));
  if (folder) return { kind: "scan", folder, label: LABELS.find((label) => label === folder) };
  return { kind: "stray", message: strayMessage(slash < 0 ? undefined : path.slice(0, slash)) };
}

const ALLOWED = "Scans belong in Cancer/, Non-Cancer/ or Unlabelled/.";

const LOOK_ALIKES: Readonly<Record<string, LabelFolder>> = {
  cancer: "Cancer",
  cancers: "Cancer",
  cancerous: "Cancer",
  tumor: "Cancer",
  tumour: "Cancer",
  yes: "Cancer",
  noncancer: "Non-Cancer",
  noncancerous: "Non-Cancer",
  nocancer: "Non-Cancer",
  notumor: "Non-Cancer",
  notumour: "Non-Cancer",
  normal: "Non-Cancer",
  healthy: "Non-Cancer",
  no: "Non-Cancer",
  unlabelled: "Unlabelled",
  unlabeled: "Unlabelled",
  unlabel: "Unlabelled",
  unknown: "Unlabelled",
};

/** The label folder that a folder of another name was perhaps meant to be. */
export function lookAlike(folder: string): LabelFolder | undefined {
  return LOOK_ALIKES[folder.toLowerCase().replace(/[^a-z]/g, "")];
}

function strayMessage(folder: string | undefined): string {
  if (folder === undefined) return `The file lies outside the label folders, so its label is not known. ${ALLOWED}`;
  const meant = lookAlike(folder);
  const hint = meant ? `Did you mean ${meant}/? ` : "";
  return `The folder ${folder}/ is none of the label folders. ${hint}${ALLOWED}`;
}

/** What the names of a folder's uppermost folders stand for, by the name in lower case. */
export type FolderNames = ReadonlyMap<string, LabelFolder | "masks">;

/** Below landing names stand for themselves alone. */
export const LANDED_NAMES: FolderNames = new Map();

/** In a person's own folder they count in any case. */
export const ANY_CASE: FolderNames = new Map(
  [...LABEL_FOLDERS, "masks" as const].map((folder) => [folder.toLowerCase(), folder]),
);

/**
 * Reads `yes=Cancer,no=Non-Cancer`: what further folders stand for.
 *
 * @throws {RangeError} with a sentence
 */
export function parseLabels(text: string): FolderNames {
  const names = new Map(ANY_CASE);
  for (const pair of text.split(",")) {
    const [name = "", target, ...more] = pair.split("=").map((part) => part.trim());
    const folder = ANY_CASE.get(fold(target ?? ""));
    if (name === "" || /[/\\]/.test(name) || more.length > 0 || folder === undefined || folder === "masks") {
      throw new RangeError(
        `"${pair.trim()}" is not FOLDER=LABEL, where LABEL is ${LABELS.join(" or ")} (or Unlabelled), as in yes=Cancer,no=Non-Cancer.`,
      );
    }
    const before = names.get(fold(name));
    if (before !== undefined && before !== folder) {
      throw new RangeError(`"${name}" stands for ${before} already, and cannot stand for ${folder} too.`);
    }
    names.set(fold(name), folder);
  }
  return names;
}

/** The name below landing of a file of a person's folder: the uppermost folder gets the name that it stands for. */
export function landedName(path: string, names: FolderNames): string {
  if (names === LANDED_NAMES) return path;
  const slash = path.indexOf("/");
  if (slash < 0) return fold(path) === MANIFEST ? MANIFEST : path;
  const folder = names.get(fold(path.slice(0, slash)));
  return folder === undefined ? path : folder + path.slice(slash);
}

/** What a cell of the column `label` stands for: null where that is no label; undefined where it says that none is known. */
export function labelOf(cell: string, names: FolderNames): Label | null | undefined {
  const named = LABEL_FOLDERS.find((folder) => folder === (names.get(fold(cell)) ?? cell));
  if (named === "Unlabelled") return names === LANDED_NAMES ? null : undefined;
  return named ?? null;
}

/** Whether a folder of that name, uppermost in a person's folder, is one whose files are read. */
export const isKnownFolder = (name: string, names: FolderNames): boolean => names.has(fold(name));

/** One file system writes é as one character, another as two. */
export function fold(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
