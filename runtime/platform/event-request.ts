import type { IncomingMessage } from "node:http";
import { z } from "zod";
import type { Logger } from "./logging";

/** A message that is none of those that a function is for, and never will be. */
export class UnusableEventError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UnusableEventError";
  }
}

/** What the functions framework (Express) gives, as far as it is used. */
export interface FunctionRequest extends IncomingMessage {
  readonly body?: unknown;
}

export interface FunctionResponse {
  status(code: number): FunctionResponse;
  send(body: string): unknown;
  end(): unknown;
}

/** https://cloud.google.com/pubsub/docs/push#receive_push */
const pushSchema = z.object({
  message: z.object({
    attributes: z.record(z.string(), z.string()).nullish(),
    data: z.string().nullish(),
    messageId: z.string().nullish(),
  }),
});

export type PushedMessage = z.output<typeof pushSchema>["message"];

/** The message of a Pub/Sub push; undefined for what is none. */
export function pushedMessage(body: unknown): PushedMessage | undefined {
  return pushSchema.safeParse(body).data?.message;
}

/** The framework parses what is declared to be JSON; everything else arrives as text or bytes. @throws {UnusableEventError} */
export function parsedBody(body: unknown): unknown {
  if (typeof body !== "string" && !Buffer.isBuffer(body)) return body;
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new UnusableEventError("The request's body is not JSON.");
  }
}

/**
 * Does what an event asks for and answers 204; 400 to what is no event; 500, so that it is delivered again, where the work
 * fails.
 *
 * @param about what a line of the log says of the event, once it is known
 * @param sorry a sentence for who sent it
 * @returns whether it was done
 */
export async function answerEvent(
  response: FunctionResponse | undefined,
  log: Pick<Logger, "error">,
  { about, sorry }: { readonly about: () => Readonly<Record<string, unknown>>; readonly sorry: string },
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    response?.status(204).end();
    return true;
  } catch (error) {
    const failed = { ...about(), err: error };
    if (error instanceof UnusableEventError) {
      // Google sends nothing of the kind: repeating it cannot help, and an acknowledged message from a subscription that is
      // set up wrongly would be lost. The dead-letter topic keeps it.
      log.error(failed, error.message);
      response?.status(400).send(`${error.message}\n`);
    } else {
      log.error(failed, "Not done, to be delivered again");
      response?.status(500).send(`${sorry} Deliver the event again.\n`);
    }
    return false;
  }
}
