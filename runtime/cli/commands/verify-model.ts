import { Command, Option } from "commander";
import { DISCLAIMER } from "../../intake";
import { ConfigurationError } from "../../platform/config";
import type { Backend } from "../../tensorflow";
import { EXIT, folderProblems, interruptible } from "../command-line";
import { backend } from "../options";

interface Flags {
  readonly model: string;
  readonly out?: string;
  readonly data?: string;
  readonly backend?: Backend;
  readonly json?: true;
}

export function verifyModelCommand(): Command {
  return new Command("verify-model")
    .description("have onnxruntime and TensorFlow.js answer for the same scans, and show how far apart they are")
    .requiredOption("--model <dir>", "folder of a model: WORKSPACE/models/ID")
    .addOption(new Option("--out <dir>", "workspace, whose test split is answered for").conflicts("data"))
    .option("--data <dir>", "folder with Cancer/, Non-Cancer/, Unlabelled/, all of whose scans are answered for")
    .addOption(backend())
    .option("--json", "for a machine")
    .action(async ({ model, out, data, backend, json }: Flags) => {
      const problems = [
        ...folderProblems("--model", model, "npm run train makes one: WORKSPACE/models/ID."),
        ...(out === undefined ? [] : folderProblems("--out", out, "It is a workspace: npm run demo makes one.")),
        ...(data === undefined ? [] : folderProblems("--data", data, "It holds Cancer/ and Non-Cancer/, with scans.")),
        ...(out === undefined && data === undefined ? ["Name the scans: --out WORKSPACE or --data DIR."] : []),
      ];
      if (problems.length > 0) throw new ConfigurationError("The command", problems);
      const { describeParity, parityProblem } = await import("../../model/index.js");
      const { verifyModel } = await import("../verify-model.js");
      const interruption = interruptible();
      const scans: object[] = [];
      try {
        const parity = await verifyModel({
          model,
          scans: data === undefined ? { workspace: out as string } : { data },
          ...(backend ? { backend } : {}),
          signal: interruption.signal,
          onEach(scan, difference) {
            scans.push({ scan, ...difference });
            const { logits, maps, strongest } = difference;
            const map = `map ${maps.toExponential(1)} of ${strongest.toPrecision(2)}`;
            if (!json) process.stdout.write(`${scan}: log odds ${logits.toExponential(1)}, ${map}\n`);
          },
        });
        if (parity.images === 0) throw new Error("There is no scan to answer for, so nothing was compared.");
        const problem = parityProblem(parity);
        if (json) process.stdout.write(`${JSON.stringify({ ...parity, ok: !problem, scans }, null, 2)}\n`);
        else process.stdout.write(`${problem ?? `${describeParity(parity)}.`}\n${DISCLAIMER}\n`);
        if (problem) process.exitCode = EXIT.failed;
      } finally {
        interruption.release();
      }
    });
}
