import { type AppOptions, buildApp } from "../stacks/app";
import { chooseLines, type LinesChoice } from "../stacks/lines";
import { readStacks, type SynthesizedStack, withScratch } from "./synthesized";

/** Which stacks a command is about. */
export interface StackChoice extends LinesChoice {
  /** A folder of synthesized stacks: they are taken as they are. */
  readonly dir?: string | undefined;
  /** Where they are synthesized; a folder that is gone afterwards if it is not given. */
  readonly out?: string | undefined;
}

/**
 * Reads synthesized stacks, or synthesizes them first.
 * @param options.policy whether a finding of the rule pack stops the synth
 * @param options.app what the app is built with where it is synthesized
 */
export function withStacks<T>(
  choice: StackChoice,
  work: (stacks: readonly SynthesizedStack[], folder: string) => T,
  options: { readonly policy: boolean; readonly app?: Partial<AppOptions> } = { policy: true },
): T {
  const { dir } = choice;
  if (dir !== undefined) return work(readStacks(dir), dir);
  const { hospitals, platform, subject } = chooseLines(choice);
  const synthesizeTo = (outdir: string) => {
    buildApp(hospitals, { platform, ...options.app, outdir, subject, skipValidation: !options.policy }).synth();
    return work(readStacks(outdir), outdir);
  };
  return choice.out === undefined ? withScratch(synthesizeTo) : synthesizeTo(choice.out);
}
