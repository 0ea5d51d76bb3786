import { cpus, totalmem } from "node:os";
import { ConfigurationError } from "../runtime/platform/config";

/**
 * The parts that are asked for; all of them where none is named.
 * @throws {ConfigurationError}
 */
export function partsOf<Part extends string>(text: string | undefined, known: readonly Part[]): Part[] {
  const parts = text?.split(",") ?? [...known];
  const unknown = parts.filter((part) => !known.some((one) => one === part));
  if (unknown.length === 0) return parts as Part[];
  throw new ConfigurationError("--parts", [`there is no ${unknown.join(", ")}; there are ${known.join(", ")}.`]);
}

/** @throws {ConfigurationError} */
export function wholeNumberOf(option: string, text: string | undefined, otherwise: number): number {
  const value = Number(text ?? otherwise);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new ConfigurationError(option, [`"${text}" is not a whole number above 0.`]);
}

/** Progress goes to standard error, results to standard output. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** What numbers were measured on, such as `4 x AMD EPYC, 16 GiB, Node 22.1.0`. */
export function machineName(): string {
  const [processor] = cpus();
  const model = processor?.model.trim() ?? "unknown";
  return `${cpus().length} x ${model}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}`;
}
