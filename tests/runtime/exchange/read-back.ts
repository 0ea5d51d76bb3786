import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runPydicom } from "../../support/pydicom";

export type Kind = "sr" | "sc" | "hl7";

/** What highdicom, pydicom and hl7apy make of documents, in their order. @param folder for the files */
export function readBack(
  folder: string,
  ...documents: readonly (readonly [Kind, Buffer | string])[]
): Record<string, unknown>[] {
  const args = documents.flatMap(([kind, content], i) => {
    const path = join(folder, `${i}.${kind}`);
    writeFileSync(path, content);
    return [kind, path];
  });
  return JSON.parse(runPydicom(join(__dirname, "read_back.py"), ...args));
}
