import { type Input, inputLines, LABELS } from "../intake";
import type { Progress } from "../platform/progress";
import { type LookedAt, lookThrough } from "./look-through";

/**
 * Looks at a folder as ingest would, reading every file, and changes nothing.
 *
 * @returns the report, a line each
 */
export async function checkFolder(
  input: Input,
  options: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const found = await lookThrough(input, options);
  const taken = found.filter(({ pictures }) => pictures.length > 0);
  const refused = found.filter((file) => file.refused.length > 0);
  const [first, ...rest] = inputLines(input, found.filter(({ hasPatient }) => hasPatient).length);
  const pages = taken.reduce((sum, { pictures }) => sum + pictures.length, 0);
  const blanked = taken.reduce((sum, file) => sum + file.blanked, 0);
  return [
    ...(first ?? []),
    `formats: ${counted(found.flatMap(({ format }) => format ?? [])) || "none"}`,
    ...(pages > taken.length ? [`pages, slices and frames of them: ${pages}`] : []),
    ...rest.flat(),
    ...(blanked > 0 ? [`pictures in which text is painted over: ${blanked}`] : []),
    ...twins(taken),
    `files that would be refused: ${refused.length}${reasonsOf(refused)}`,
    ...refused.flatMap(({ name, refused: reasons }) =>
      reasons.map(
        ({ page, reason }) =>
          `  ${page === undefined ? name : `${name}, page ${page}`}: ${reason.message} (${reason.code})`,
      ),
    ),
  ];
}

function reasonsOf(refused: readonly LookedAt[]): string {
  const codes = counted(refused.flatMap((file) => file.refused.map(({ reason }) => reason.code)));
  return codes === "" ? "" : ` (ingest keeps them in quarantine: ${codes})`;
}

function counted(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${word} ${count}`).join(", ");
}

/** Files with the same pixels: one picture of the data set, and a contradiction where their labels differ. */
function twins(taken: readonly LookedAt[]): string[] {
  const names = new Map<string, LookedAt[]>();
  for (const file of taken)
    for (const picture of new Set(file.pictures)) names.set(picture, [...(names.get(picture) ?? []), file]);
  const shared = [...names.values()].filter((files) => files.length > 1);
  const torn = shared.filter((files) => LABELS.every((label) => files.some((file) => file.label === label)));
  const copies = shared.reduce((sum, files) => sum + files.length - 1, 0);
  return [
    ...(copies > 0 ? [`files with the pixels of another one: ${copies}; each picture counts once`] : []),
    ...(torn.length > 0
      ? [
          `equal pixels under two labels: ${torn.length} pictures; the label of the first name counts. Look at them:`,
          ...torn.map((files) => `  ${files.map(({ name }) => name).join(" = ")}`),
        ]
      : []),
  ];
}
