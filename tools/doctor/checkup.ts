import type { Hospital } from "../../stacks/config";
import type { CommandLine, Runner } from "../gcloud";
import type { Declared } from "./declared";

/** What one check found, as a line. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "failed" | "skipped";
  /** A sentence: what was seen. */
  readonly says: string;
  /** What to do, where something is to be done. */
  readonly todo?: string;
}

/** What the checks look at. */
export interface Subject {
  readonly hospital: Hospital;
  /** The hospital's two stacks as they are synthesized now. */
  readonly declared: Declared;
  /** Before a deploy: what the stacks will make is not there yet. */
  readonly dry: boolean;
  /** Reads, and nothing else. */
  readonly run: Runner;
}

export type Check = (subject: Subject) => readonly Finding[] | Promise<readonly Finding[]>;

/**
 * The answer of a command that only reads.
 * @throws {MissingError} where what it asks about does not exist, otherwise what the command said
 */
export function ask<T>(run: Runner, command: CommandLine): T {
  let text: string;
  try {
    text = run([...command, "--format=json"]);
  } catch (error) {
    const message = (error as Error).message;
    if (/\bNOT_FOUND\b|not found|does not exist|\b404\b|cannot find (?:service|revision)\b/i.test(message))
      throw new MissingError(message);
    throw error;
  }
  return JSON.parse(text.trim() || "[]") as T;
}

export class MissingError extends Error {}

/** The same; undefined where it does not exist. */
export function askFor<T>(run: Runner, command: CommandLine): T | undefined {
  try {
    return ask<T>(run, command);
  } catch (error) {
    if (error instanceof MissingError) return undefined;
    throw error;
  }
}

export const prepare = ({ name }: Pick<Hospital, "name">) => `npm run prepare-project -- ${name} --run`;
export const deploy = ({ name }: Pick<Hospital, "name">, stack: "data" | "app") =>
  `npm run cdktf -- deploy ${name}-${stack}`;

export const ok = (check: string, says: string): Finding => ({ check, status: "ok", says });
export const failed = (check: string, says: string, todo: string): Finding => ({ check, status: "failed", says, todo });
export const skipped = (check: string, says: string, todo?: string): Finding => ({
  check,
  status: "skipped",
  says,
  ...(todo === undefined ? {} : { todo }),
});
