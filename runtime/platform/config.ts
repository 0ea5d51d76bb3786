import { z } from "zod";

/** A configuration that cannot be used. Its message lists every problem; the command line exits with 2. */
export class ConfigurationError extends Error {
  constructor(
    readonly subject: string,
    readonly problems: readonly string[],
  ) {
    super([`${subject} cannot be used:`, ...problems.map((problem) => `  - ${problem}`)].join("\n"));
    this.name = "ConfigurationError";
  }
}

/** The first of very many problems: nobody reads ten thousand lines. */
export function listed(problems: readonly string[], most = 20): string[] {
  if (problems.length <= most) return [...problems];
  return [...problems.slice(0, most), `and ${problems.length - most} more of the kind.`];
}

/**
 * Runs every check, so that a person sees all that is wrong at once.
 *
 * @throws {ConfigurationError} with what all of them found
 */
export async function requireAll(...checks: readonly (() => void | Promise<void>)[]): Promise<void> {
  const found: ConfigurationError[] = [];
  for (const check of checks) {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      found.push(error);
    }
  }
  const [first, ...others] = found;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  const problems = found.flatMap(({ subject, problems }) => problems.map((problem) => `${subject}: ${problem}`));
  throw new ConfigurationError("The command", problems);
}

/**
 * Parses environment variables by a contract's schema.
 *
 * @param together what several variables together get wrong, each as a sentence
 * @throws {ConfigurationError} naming every variable that is missing or wrong, what was given and what is allowed.
 */
export function parseEnv<S extends z.ZodObject>(
  schema: S,
  env: NodeJS.ProcessEnv = process.env,
  together: (env: NodeJS.ProcessEnv) => readonly string[] = () => [],
): z.output<S> {
  const known = Object.fromEntries(Object.keys(schema.shape).map((key) => [key, env[key]]));
  const result = z.safeParse(schema, known);
  const wrong = (result.error?.issues ?? []).map((issue) => {
    const key = String(issue.path[0] ?? "");
    const given = env[key];
    return given === undefined || given === ""
      ? `${key} is not set. ${schema.shape[key]?.description ?? issue.message}`
      : `${key} is "${given}": ${issue.message}`;
  });
  const problems = [...wrong, ...together(env)];
  if (result.success && problems.length === 0) return result.data;
  throw new ConfigurationError("The environment", problems);
}
