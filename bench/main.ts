import { EXIT, ifMain, runTool, tool } from "../tools/command";
import { benchSynth } from "./synth";

/** What can be measured, by its name. */
const BENCHMARKS: Readonly<Record<string, (options: BenchOptions) => void>> = { synth: benchSynth };

export interface BenchOptions {
  /** A file for the results as JSON. */
  readonly json?: string;
}

/** The command `npm run bench`. */
export async function bench(args: readonly string[]): Promise<number> {
  const names = Object.keys(BENCHMARKS).join(", ");
  const program = tool("bench", "Measures, on this machine, and prints what it measured.")
    .argument("<name>", `which benchmark: ${names}`)
    .option("--json <file>", "write the results to this file as well")
    .option("--seed <n>", "accepted as everywhere");
  return runTool(
    program,
    () => {
      const name = String(program.args[0]);
      const run = BENCHMARKS[name];
      if (!run) {
        process.stderr.write(`There is no benchmark "${name}"; there are ${names}.\n`);
        return EXIT.usage;
      }
      run(program.opts<BenchOptions>());
      return EXIT.done;
    },
    args,
  );
}

ifMain(module, bench);
