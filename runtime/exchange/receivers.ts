/** How what leaves is given to servers of the web, and what they say to it. */

const DICOM = "application/dicom";

/** One instance as STOW-RS takes it: PS3.18, 10.5. @param request of the answer: no instance holds its UUID in this form */
export function storeRequest(
  instance: Buffer,
  request: string,
): { readonly contentType: string; readonly body: Buffer } {
  const boundary = `answer-${request}`;
  return {
    contentType: `multipart/related; type="${DICOM}"; boundary=${boundary}`,
    body: Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Type: ${DICOM}\r\n\r\n`),
      instance,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  };
}

/** Sequences of an answer of STOW-RS (PS3.18, I.2): Failed SOP, Other Failures; Referenced SOP. */
const FAILED = ["00081198", "0008119A"];
const STORED = ["00081199"];

/** Why an archive that answers 2xx has not taken the one instance that it was sent, as a sentence; undefined where it has. */
export function whyNotStored(status: number, body: string): string | undefined {
  // With 202 an archive has taken some instances of several, or taken one as it likes: here there is one.
  if (names(body, FAILED)) return "The archive did not take it.";
  if (status === 202 && !names(body, STORED)) return "The archive answers 202, and does not say that it took it.";
  return undefined;
}

/** Whether an answer has an item in one of some sequences: as JSON, or as XML, which archives send whatever is asked for. */
function names(body: string, sequences: readonly string[]): boolean {
  const answer = jsonOf(body);
  if (typeof answer === "object" && answer !== null) {
    const [set] = Array.isArray(answer) ? answer : [answer];
    const of = (tag: string) => (set as Readonly<Record<string, { readonly Value?: readonly unknown[] }>>)?.[tag];
    return sequences.some((tag) => (of(tag)?.Value?.length ?? 0) > 0);
  }
  return sequences.some((tag) =>
    new RegExp(
      `<(?:\\w+:)?DicomAttribute\\b[^>]*\\btag\\s*=\\s*["']${tag}["'](?:[^>]*[^/>])?>\\s*<(?:\\w+:)?Item\\b`,
      "i",
    ).test(body),
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a status of HTTP may be another one at another time. */
export const mayPass = (status: number): boolean => status >= 500 || [408, 425, 429].includes(status);
