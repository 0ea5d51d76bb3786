import { Command } from "commander";
import { reportFailure } from "./command-line";
import { auditCommand } from "./commands/audit";
import { deliverCommand } from "./commands/deliver";
import { demoCommand } from "./commands/demo";
import { evaluateCommand } from "./commands/evaluate";
import { explainCommand } from "./commands/explain";
import { featuresCommand } from "./commands/features";
import { feedbackCommand } from "./commands/feedback";
import { forgetCommand } from "./commands/forget";
import { gatewayCommand } from "./commands/gateway";
import { ingestCommand } from "./commands/ingest";
import { modelsCommand } from "./commands/models";
import { monitorCommand } from "./commands/monitor";
import { preprocessCommand } from "./commands/preprocess";
import { replayCommand } from "./commands/replay";
import { retrainCommand } from "./commands/retrain";
import { scoreCommand } from "./commands/score";
import { serveCommand } from "./commands/serve";
import { simulateCommand } from "./commands/simulate";
import { sparkCommand } from "./commands/spark";
import { trainCommand } from "./commands/train";
import { uploadCommand } from "./commands/upload";
import { verifyModelCommand } from "./commands/verify-model";
import { warehouseCommand } from "./commands/warehouse";

/*
 * Every step by hand, and `demo`, which runs them all. A command loads what it needs when it is called: TensorFlow.js
 * alone takes a second.
 */

const COMMANDS = [
  demoCommand,
  uploadCommand,
  gatewayCommand,
  ingestCommand,
  preprocessCommand,
  featuresCommand,
  sparkCommand,
  trainCommand,
  evaluateCommand,
  explainCommand,
  scoreCommand,
  serveCommand,
  replayCommand,
  monitorCommand,
  feedbackCommand,
  simulateCommand,
  retrainCommand,
  deliverCommand,
  forgetCommand,
  modelsCommand,
  auditCommand,
  verifyModelCommand,
  warehouseCommand,
];

async function main(): Promise<void> {
  const program = new Command("brain-tumor-stack")
    .description("One hospital's brain-MRI tumour service on this machine. For research only. Not for diagnostic use.")
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  for (const make of COMMANDS) {
    const command = make();
    inherit(program, command);
    program.addCommand(command);
  }
  await program.parseAsync();
}

/** Down to the parts of parts: who leaves by itself knows none of our exit codes. */
function inherit(from: Command, command: Command): void {
  command.copyInheritedSettings(from);
  for (const part of command.commands) inherit(command, part);
}

main().catch((error: unknown) => {
  process.exitCode = reportFailure(error);
});
