import type { Command } from "commander";
import { DISCLAIMER } from "../../intake";
import { type FolderFlags, folderCommand, overFolder } from "../over-folder";

export function explainCommand(): Command {
  return folderCommand(
    "explain",
    "show where a model looks: explain.csv, an overlay for every scan of a folder, and a gallery of them",
  ).action(async (options: FolderFlags) => {
    const { explainFolder } = await import("../../explain/index.js");
    const done = await overFolder("explain", options, explainFolder);
    if (done === undefined) return;
    process.stdout.write(`gallery: ${options.out}/gallery.html\n`);
    process.stdout.write(`No verdict on the model: explain measures nothing, npm run evaluate does.\n${DISCLAIMER}\n`);
  });
}
