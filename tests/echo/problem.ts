/** An answer that is an error, as Google's APIs write one: https://cloud.google.com/apis/design/errors */
export class ApiProblem extends Error {
  constructor(
    readonly code: number,
    readonly status: string,
    message: string,
  ) {
    super(message);
  }

  toJSON(): object {
    const { code, status, message } = this;
    return {
      error: { code, status, message, errors: [{ message, domain: "global", reason: REASONS[code] ?? status }] },
    };
  }
}

const REASONS: Readonly<Record<number, string>> = { 404: "notFound", 409: "duplicate", 412: "conditionNotMet" };

export const notFound = (name: string) => new ApiProblem(404, "NOT_FOUND", `${name} was not found.`);
export const alreadyExists = (name: string) => new ApiProblem(409, "ALREADY_EXISTS", `${name} exists already.`);
export const invalid = (message: string) => new ApiProblem(400, "INVALID_ARGUMENT", message);
export const failedPrecondition = (message: string) => new ApiProblem(400, "FAILED_PRECONDITION", message);
/** What the echo was never taught: a request for it is a gap in the echo, never an answer of Google's. */
export const unknownToTheEcho = (what: string) =>
  new ApiProblem(501, "UNIMPLEMENTED", `The echo of Google's APIs does not know ${what}.`);
