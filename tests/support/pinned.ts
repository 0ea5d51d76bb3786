import { createHash } from "node:crypto";

/**
 * Holds what is computed to what its identity has stood for since it was given. `advice` is what to do where they part:
 * it is shown with the difference.
 */
export function expectPinned(
  actual: Readonly<Record<string, string>>,
  pinned: Readonly<Record<string, string>>,
  advice: string,
): void {
  expect({ advice, ...actual }).toEqual({ advice, ...pinned });
}

/** SHA-256 of numbers, the first 16 hex digits. */
export function digestOf(...parts: readonly (Float32Array | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of parts) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex").slice(0, 16);
}

/** The same of doubles, of which the last digits may differ from one version of Node to the next. */
export function digestOfRounded(values: ArrayLike<number>): string {
  const text = Array.from(values, (value) => value.toPrecision(6)).join(" ");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
