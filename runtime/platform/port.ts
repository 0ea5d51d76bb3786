import { createServer } from "node:net";
import { ConfigurationError } from "./config";

/** What runs on a laptop is for that laptop alone. */
export const LOOPBACK = "127.0.0.1";

/** Why a port cannot be listened on, where the person who chose it can do something about it. */
export function portProblem(error: unknown, port: number): ConfigurationError | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return new ConfigurationError("The port", [`${port} is in use. Choose another, or 0 for a free one.`]);
  if (code === "EACCES")
    return new ConfigurationError("The port", [`${port} needs more rights. Choose one above 1023.`]);
  return undefined;
}

/**
 * Tries a port and lets it go again: whoever will serve only after an hour's work hears at once that it cannot.
 *
 * @throws {ConfigurationError} if it cannot be listened on
 */
export async function requireFreePort(port: number, host: string): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((listening, fail) => {
      server.once("error", fail);
      server.listen({ port, host }, listening);
    });
  } catch (error) {
    throw portProblem(error, port) ?? error;
  }
  await new Promise((closed) => server.close(closed));
}
