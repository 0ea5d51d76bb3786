import { Command } from "commander";
import { ConfigurationError } from "../../platform/config";
import { requireWorkspace } from "../command-line";
import { out } from "../options";

interface ForgetFlags {
  readonly out: string;
  readonly patient?: string;
  readonly source?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `forget --patient ID | --source NAME --out DIR [--yes]` */
export function forgetCommand(): Command {
  return new Command("forget")
    .description("erase everything of a patient or of a scan from a workspace; without --yes, only say what that is")
    .option("--patient <id>", "as in manifest.csv or in the header of a DICOM file")
    .option("--source <name>", "of a scan below landing, such as Cancer/a.png")
    .addOption(out())
    .option("--yes", "do it: there is no way back")
    .option("--json", "for a machine")
    .action(async ({ out, patient, source, yes = false, json = false }: ForgetFlags) => {
      const given = [patient, source].filter((text) => text !== undefined && text.trim() !== "");
      if (given.length !== 1 || (patient !== undefined && source !== undefined))
        throw new ConfigurationError("The command", [
          "name one patient with --patient ID, or one scan with --source NAME.",
        ]);
      requireWorkspace(out);
      const wanted = patient === undefined ? { source: (source as string).trim() } : { patient: patient.trim() };
      const { runForget } = await import("../forget.js");
      process.stdout.write(await runForget(out, wanted, { yes, json }));
    });
}
