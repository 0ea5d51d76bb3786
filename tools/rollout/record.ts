import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ConfigurationError } from "../../runtime/platform/config";
import { writeWhole } from "../../runtime/platform/disk";

const changeSchema = z.object({
  /** `google_storage_bucket.landing`, or `output.landing_uri` */
  address: z.string(),
  /** Terraform's: create, update, delete, forget; delete and create for a replacement. */
  actions: z.array(z.string()),
});

const planSchema = z.object({
  changes: z.array(changeSchema),
  /** What the plan would lose: `delete google_storage_bucket.landing`. */
  losses: z.array(changeSchema.extend({ action: z.string() })),
  /** Findings of the rule pack that nobody has accepted, as sentences. */
  findings: z.array(z.string()),
  acknowledged: z.int(),
  /** USD a month and for 1,000 scans, more or less than before; null where a price is not known. */
  cost: z.object({ monthly: z.number(), perThousandScans: z.number() }).nullable(),
  /** SHA-256 of plan.bin. */
  sha256: z.string(),
  seconds: z.number(),
});

const stackSchema = z.object({
  hospital: z.string(),
  wave: z.int(),
  part: z.enum(["data", "app"]),
  /** SHA-256 over the files of the stack, as they were planned. */
  digest: z.string(),
  /** `applying` after the process has ended: it may be half applied. */
  status: z.enum(["open", "planned", "applying", "applied", "failed"]),
  plan: planSchema.optional(),
  problem: z.object({ sentence: z.string(), addresses: z.array(z.string()) }).optional(),
});

const recordSchema = z.object({
  version: z.literal(1),
  /** Where the stacks came from: lines are synthesized again before an apply, a folder is looked at again. */
  source: z.object({
    hospitals: z.string().optional(),
    platform: z.string().optional(),
    dir: z.string().optional(),
  }),
  /** Every stack was planned, or has failed to. */
  planned: z.boolean(),
  stacks: z.record(z.string(), stackSchema),
  /** Waves that were applied whole and have passed their checks. */
  passed: z.array(z.int()),
});

export type Change = z.output<typeof changeSchema>;
export type StackPlan = z.output<typeof planSchema>;
export type StackRecord = z.output<typeof stackSchema>;
export type RolloutRecord = z.output<typeof recordSchema>;

/** What a roll-out knows of itself, in its folder: after a kill there is what was before, or what is after. */
export class RecordFile {
  private readonly path: string;
  /** Two stacks may be done at once; their writes follow each other. */
  private writing: Promise<void> = Promise.resolve();

  constructor(readonly folder: string) {
    this.path = join(folder, "rollout.json");
  }

  /** Undefined if nothing was planned here. @throws {ConfigurationError} if it is damaged. */
  read(): RolloutRecord | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      return recordSchema.parse(JSON.parse(text));
    } catch {
      throw new ConfigurationError("The folder of the roll-out", [
        `${this.path} is damaged or of another version: delete ${this.folder} and plan again.`,
      ]);
    }
  }

  write(record: RolloutRecord): Promise<void> {
    const text = `${JSON.stringify(record, null, 2)}\n`;
    this.writing = this.writing.catch(() => undefined).then(() => writeWhole(this.path, text, `${this.path}.partial`));
    return this.writing;
  }
}
