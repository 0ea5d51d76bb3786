import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REJECTION_CODES } from "../../runtime/imaging";

export interface Outcome {
  readonly stored: string | { readonly code?: string; readonly message?: string; readonly crash?: string };
  readonly pictures: Outcome["stored"];
  readonly deidentified: Outcome["stored"];
  readonly milliseconds: number;
}

const SCRIPT = join(__dirname, "..", "runtime", "imaging", "dicom", "fixtures", "decode-all.js");

/** What becomes of files in a process of its own, which a crash would end; each is read, or refused with a known code. */
export function decodeAll(files: ReadonlyMap<string, Buffer>): {
  results: Record<string, Outcome>;
  /** The most that was held, bytes. */
  memory: number;
} {
  const folder = mkdtempSync(join(tmpdir(), "malformed-"));
  try {
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, folder], {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Error(`It ended with ${status}: ${stderr}`);
    const { results, memory } = JSON.parse(stdout) as { results: Record<string, Outcome>; memory: number };
    expect(Object.keys(results)).toHaveLength(files.size);
    for (const [name, { stored, pictures, deidentified }] of Object.entries(results))
      for (const outcome of [stored, pictures, deidentified]) {
        if (typeof outcome === "string") continue;
        // Whoever threw something else has not looked before.
        expect([name, outcome.crash]).toEqual([name, undefined]);
        expect(REJECTION_CODES).toHaveProperty([outcome.code as string]);
      }
    return { results, memory };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
