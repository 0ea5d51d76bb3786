import type { FunctionRequest, FunctionResponse } from "../../runtime/platform/event-request";

type Target = (request: FunctionRequest, response: FunctionResponse) => Promise<void>;

/** Calls a function as the functions framework does. @returns status and text of its answer */
export async function push(target: Target, body: unknown): Promise<[number, string]> {
  const answer: [number, string] = [0, ""];
  const response: FunctionResponse = {
    status(code) {
      answer[0] = code;
      return response;
    },
    send(text) {
      answer[1] = text;
    },
    end() {},
  };
  await target({ body } as FunctionRequest, response);
  return answer;
}

/** A message as Pub/Sub pushes it. */
export const pushed = (attributes: Readonly<Record<string, string>>, data = "") => ({
  message: { attributes, data: Buffer.from(data).toString("base64"), messageId: "1" },
});
