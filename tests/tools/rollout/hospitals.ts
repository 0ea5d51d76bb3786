import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Json = Record<string, unknown>;

/** What a stack holds: type to name to configuration. */
export type Resources = Record<string, Record<string, Json>>;

export interface Line {
  readonly name: string;
  readonly wave?: number;
  readonly tier?: string;
  readonly data?: Resources;
  readonly app?: Resources;
}

/** Hospitals with hand-made stacks in a folder of their own, and the command lines that roll them out. */
export class Hospitals {
  readonly folder = mkdtempSync(join(tmpdir(), "rollout-test-"));
  readonly out = join(this.folder, "rollout");
  readonly log = join(this.folder, "log.jsonl");

  constructor(lines: readonly Line[]) {
    mkdirSync(join(this.folder, "states"));
    this.set(lines);
  }

  set(lines: readonly Line[]): void {
    for (const { name, data = {}, app = {} } of lines)
      for (const [part, resource] of Object.entries({ data, app })) {
        const folder = join(this.folder, "synthesized", "stacks", `${name}-${part}`);
        mkdirSync(folder, { recursive: true });
        const backend = { local: { path: `../../../terraform.${name}-${part}.tfstate` } };
        writeFileSync(
          join(folder, "cdk.tf.json"),
          JSON.stringify({ terraform: { backend }, ...(Object.keys(resource).length > 0 ? { resource } : {}) }),
        );
      }
    const written = lines.map(({ name, wave, tier = "test" }, index) => ({
      name,
      tier,
      project: `project-${name}`,
      projectNumber: String(1_000_000 + index),
      region: "europe-west4",
      ...(wave === undefined ? {} : { wave }),
    }));
    writeFileSync(join(this.folder, "hospitals.json"), JSON.stringify(written));
  }

  plan(...more: string[]): string[] {
    const from = ["--dir", join(this.folder, "synthesized"), "--hospitals", join(this.folder, "hospitals.json")];
    return ["plan", ...from, ...this.places(), ...more];
  }

  apply(...more: string[]): string[] {
    return ["apply", ...this.places(), "--soak", "0s", ...more];
  }

  places(): string[] {
    return ["--out", this.out, "--states", join(this.folder, "states")];
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A file that a resource waits for is there from now on. */
  touch(name: string): void {
    writeFileSync(this.path(name), "");
  }

  state(stack: string): { readonly serial: number; readonly resources: Json } {
    return JSON.parse(readFileSync(this.path(`states/terraform.${stack}.tfstate`), "utf8")) as never;
  }

  /** What the stand-in was asked to do. */
  events(): readonly { at: number; event: string; command: string; stack: string; credentials?: string }[] {
    const text = readFileSync(this.log, "utf8").trim();
    return text.split("\n").map((line) => JSON.parse(line) as never);
  }
}

/** A resource that holds nothing which could be lost. */
export const thing = (config: Json = {}): Resources => ({ google_logging_metric: { thing: config } });
