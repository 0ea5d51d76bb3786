import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { print } from "../tools/command";
import { withScratch } from "../tools/synthesized";
import { table } from "../tools/table";
import type { BenchOptions } from "./main";

export interface SynthMeasurement {
  readonly hospitals: number;
  readonly stacks: number;
  readonly resources: number;
  /** From the start of the process, loading of the code included. */
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly peakMiB: number;
}

const SIZES = [1, 10, 100];

/** How long a synth takes and what it needs, for 1, 10 and 100 hospitals, each in a fresh process. */
export function benchSynth({ json }: BenchOptions): void {
  // What is cached between runs (bundles of unchanged code) is cached for users as well.
  measureSynth(1);
  const measured = SIZES.map(measureSynth);
  const rows = measured.map(({ hospitals, stacks, resources, seconds, processorSeconds, peakMiB }, index) => {
    const before = measured[index - 1];
    const more = before && ((processorSeconds - before.processorSeconds) / (hospitals - before.hospitals)) * 1000;
    return [
      String(hospitals),
      String(stacks),
      String(resources),
      seconds.toFixed(2),
      processorSeconds.toFixed(2),
      more === undefined ? "" : more.toFixed(0),
      peakMiB.toFixed(0),
    ];
  });
  const right = (title: string) => ({ title, width: 20, align: "right" as const });
  print(
    table(
      ["HOSPITALS", "STACKS", "RESOURCES", "SECONDS", "PROCESSOR SECONDS", "MS A HOSPITAL MORE", "PEAK MIB"].map(right),
      rows,
    ),
  );
  const [processor] = cpus();
  const machine = `${cpus().length} x ${processor?.model.trim() ?? "unknown"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}`;
  print(`\n${machine}`);
  if (json) writeFileSync(json, `${JSON.stringify({ machine, measured }, null, 2)}\n`);
}

function measureSynth(hospitals: number): SynthMeasurement {
  return withScratch((outdir) => {
    const text = execFileSync(process.execPath, [join(__dirname, "synth-once.js"), String(hospitals), outdir], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    return JSON.parse(text) as SynthMeasurement;
  });
}
