import { Command } from "commander";
import { DISCLAIMER } from "../../intake";
import type { Backend } from "../../tensorflow";
import { requireWorkspace } from "../command-line";
import { backend, out } from "../options";

export function modelsCommand(): Command {
  const models = new Command("models").description("look after the models of a workspace");
  models
    .command("list")
    .description("every model, which one is current, and how near its answers are to the network that was trained")
    .addOption(out())
    .option("--json", "for a machine")
    .action(async ({ out, json }: { out: string; json?: true }) => {
      requireWorkspace(out);
      const { listModels } = await import("../models.js");
      const listed = await listModels(out);
      if (json) return void process.stdout.write(`${JSON.stringify(listed, null, 2)}\n`);
      for (const { id, current, parameters, counts, synthetic, engine } of listed) {
        const learnt = `${counts.train} images learnt from, ${parameters} parameters`;
        const marks = [current ? "current" : "", synthetic ? "SYNTHETIC: of drawn phantoms" : ""].filter(Boolean);
        process.stdout.write(`${id}${marks.length > 0 ? ` (${marks.join("; ")})` : ""}\n  ${learnt}\n  ${engine}\n`);
      }
      if (listed.length === 0) process.stdout.write("There is no model here yet: npm run train makes one.\n");
      process.stdout.write(`${DISCLAIMER}\n`);
    });
  models
    .command("convert")
    .description("add model.onnx and its measured parity to a model that an earlier program trained")
    .argument("<id>", "the model's id, as models -- list shows it")
    .addOption(out())
    .addOption(backend())
    .action(async (id: string, options: { out: string; backend?: Backend }) => {
      requireWorkspace(options.out);
      const { convert } = await import("../models.js");
      process.stdout.write(`${await convert(options.out, id, options.backend)}\n`);
    });
  return models;
}
