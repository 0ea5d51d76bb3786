import { Command } from "commander";
import { ConfigurationError } from "../../platform/config";
import { requireWorkspace } from "../command-line";
import { out } from "../options";

interface ForgetFlags {
  readonly project?: string;
  readonly hospital?: string;
  readonly region?: string;
  readonly spool?: string;
  readonly out: string;
  readonly patient?: string;
  readonly source?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `forget --patient ID | --source NAME --out DIR [--yes]` */
export function forgetCommand(): Command {
  return new Command("forget")
    .description(
      "erase everything of a patient or of a scan from a workspace, from a hospital's buckets, tables and stores, or from what its gateway keeps at home; without --yes, only say what that is",
    )
    .option("--patient <id>", "as in manifest.csv or in the header of a DICOM file")
    .option("--source <name>", "of a scan below landing, such as Cancer/a.png")
    .addOption(out())
    .option("--project <id>", "with --hospital: of the hospital whose buckets and tables are meant, in place of --out")
    .option("--hospital <name>", "as in its line")
    .option(
      "--region <region>",
      "with --hospital: of its line, where that has pacs: its DICOM and FHIR stores are meant too",
    )
    .option("--spool <dir>", "of a gateway that is stopped, in place of --out: its spool, mapping and results")
    .option("--yes", "do it: there is no way back")
    .option("--json", "for a machine")
    .action(async (flags: ForgetFlags) => {
      const { out, project, hospital, region, spool, patient, source, yes = false, json = false } = flags;
      const given = [patient, source].filter((text) => text !== undefined && text.trim() !== "");
      if (given.length !== 1 || (patient !== undefined && source !== undefined))
        throw new ConfigurationError("The command", [
          "name one patient with --patient ID, or one scan with --source NAME.",
        ]);
      if ((project === undefined) !== (hospital === undefined))
        throw new ConfigurationError("The command", ["--project and --hospital belong together."]);
      if (region !== undefined && hospital === undefined)
        throw new ConfigurationError("The command", ["--region is a hospital's: give --project and --hospital too."]);
      if (spool !== undefined && hospital !== undefined)
        throw new ConfigurationError("The command", [
          "--spool is a gateway's, and --hospital another place: give one.",
        ]);
      const wanted = patient === undefined ? { source: (source as string).trim() } : { patient: patient.trim() };
      if (spool !== undefined) {
        const { runForgetAtHome } = await import("../forget-at-home.js");
        process.stdout.write(await runForgetAtHome(spool, wanted, { yes, json }));
        return;
      }
      if (project === undefined) requireWorkspace(out);
      else if (!process.env.PSEUDONYM_KEY?.startsWith("gcp-kms://"))
        throw new ConfigurationError("The environment", [
          "PSEUDONYM_KEY is not the hospital's key, without which its patients cannot be told: the output pseudonym_key of its data stack.",
        ]);
      const { runForget } = await import("../forget.js");
      process.stdout.write(
        await runForget(
          project === undefined || hospital === undefined ? out : { project, name: hospital, region },
          wanted,
          { yes, json },
        ),
      );
    });
}
