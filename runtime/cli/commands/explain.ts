import type { Command } from "commander";
import { type FolderFlags, folderCommand, overFolder } from "../over-folder";

export function explainCommand(): Command {
  return folderCommand(
    "explain",
    "show where a model looks: explain.csv and an overlay for every scan of a folder",
  ).action(async (options: FolderFlags) => {
    const { explainFolder } = await import("../../explain/index.js");
    await overFolder("explain", options, explainFolder);
  });
}
