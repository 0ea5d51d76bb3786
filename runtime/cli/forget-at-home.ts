import { resolve } from "node:path";
import { forgetAtHome, type WantedAtHome } from "../gateway";

/**
 * Forgets in the folder of a gateway, or says what would be forgotten there.
 *
 * @returns what to print
 */
export async function runForgetAtHome(
  spool: string,
  wanted: WantedAtHome,
  { yes, json }: { readonly yes: boolean; readonly json: boolean },
): Promise<string> {
  const { instances, files, results, unknown } = await forgetAtHome(resolve(spool), wanted, {
    dry: !yes,
    now: new Date(),
  });
  if (instances + files + results === 0)
    throw new Error(
      "patient" in wanted
        ? `Nothing of the patient ${wanted.patient} is at home: look whether the id is as in the header.${lookAt(unknown)}`
        : `Nothing of ${wanted.source} is at home: a scan is named as below landing, Unlabelled/gateway/STUDY/SERIES/INSTANCE.dcm.`,
    );
  if (json) return `${JSON.stringify({ yes, instances, files, results, unknown })}\n`;
  return [
    `${yes ? "Forgotten at home" : "Would be forgotten at home (nothing was changed; add --yes to do it, there is no way back)"}:`,
    `  instances of the mapping: ${instances}`,
    `  files of the spool, with reasons: ${files}`,
    `  answers: ${results}`,
    ...(unknown.length > 0 ? [lookAt(unknown).trim()] : []),
    "What has landed is not touched, nor what was handed on, nor backups of mapping/: give the same command with --project and --hospital too.",
    "",
  ].join("\n");
}

const lookAt = (unknown: readonly string[]) =>
  unknown.length === 0
    ? ""
    : ` ${unknown.length} files of the spool do not say whose they are; look at them, and delete those that are meant: ${unknown.join(", ")}.`;
