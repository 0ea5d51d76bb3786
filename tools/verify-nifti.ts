import { join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";
import { ifMain, runTool, tool } from "./command";
import { filesOfFolder, formatOf, PythonJudge, tellOfPages, unlessNothing } from "./python-judge";

/** What compares, and prints what it found. */
const COMPARISON = join(repositoryRoot(), "scripts", "verify-nifti.py");
/** What `scripts/setup-nifti.js` brings, which the command runs before this. */
const PYTHON = join(repositoryRoot(), ".parts", "nifti", "bin", "python");

/** Decodes every NIfTI volume below a folder, and has nibabel read it too. */
export function verifyNifti(args: readonly string[]): Promise<number> {
  const program = tool(
    "verify:nifti",
    "Compares the slices that are made of the NIfTI volumes below a folder with those that nibabel's arrays and affines give.",
  )
    .requiredOption("--data <dir>", "a folder with files, in any order and with any names; nothing is written there")
    .option("--python <command>", "a Python 3.11 or newer that has nibabel", PYTHON)
    .option("--list", "name every file, not only the first of each kind")
    .addHelpText(
      "after",
      "\nExits with 1 if a slice differs (by more than 1 where it was scaled), lies elsewhere, is missing, or if a grey volume that\n" +
        "nibabel reads was refused for another reason than a limit; and if no file is NIfTI.",
    );
  return runTool(
    program,
    async () => {
      const { data, python, list } = program.opts<{ data: string; python: string; list?: true }>();
      const options = [COMPARISON, data, ...(list ? ["--list"] : [])];
      const files = filesOfFolder(data);
      let compared = 0;
      const code = await PythonJudge.run(
        python,
        options,
        { files, peer: "nibabel", noun: "volumes" },
        async (path, judge) => {
          if ((await formatOf(data, path)) === "nifti") compared++;
          await tellOfPages(data, path, judge);
        },
      );
      return unlessNothing(code, compared, files.length, data, "NIfTI");
    },
    args,
  );
}

ifMain(module, verifyNifti);
