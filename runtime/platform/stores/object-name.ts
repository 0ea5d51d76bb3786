import { InvalidObjectNameError } from "./object-store";

const MAX_NAME_BYTES = 1024;

/**
 * Checks the rules that both adapters share; see {@link ObjectStore}.
 * @throws {InvalidObjectNameError}
 */
export function checkObjectName(store: string, name: string): void {
  const refuse = (why: string): never => {
    throw new InvalidObjectNameError(store, name, why);
  };
  if (name === "") refuse("it is empty");
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) refuse(`it is longer than ${MAX_NAME_BYTES} bytes`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) refuse("it contains a control character");
  if (/\p{Surrogate}/u.test(name)) refuse("it is not valid Unicode");
  for (const segment of name.split("/")) {
    if (segment === "") refuse("it has an empty segment (a leading, trailing or doubled slash)");
    if (segment === "." || segment === "..") refuse(`it has the segment "${segment}"`);
  }
}

/** Ascending order of the UTF-8 bytes, which is that of the code points; JavaScript's own order is that of UTF-16. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      const xSurrogate = x >= 0xd800 && x <= 0xdfff;
      const ySurrogate = y >= 0xd800 && y <= 0xdfff;
      // A surrogate pair stands for a code point above U+FFFF: after every other unit, also after U+E000 to U+FFFF.
      return xSurrogate === ySurrogate ? x - y : xSurrogate ? 1 : -1;
    }
  }
  return a.length - b.length;
}
