/**
 * What `tfjs-node` and `tfjs-node-gpu` 4.22 call of `util`, and Node 23 took away.
 * https://nodejs.org/docs/latest-v24.x/api/deprecations.html, DEP0044 and DEP0051
 */
const TAKEN_AWAY = {
  isArray: Array.isArray,
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
};

/**
 * Gives `util` back what the native packages of TensorFlow.js call. Where Node still has it, it stays as it is.
 * @param util the module itself, not an import's copy of it
 */
export function giveBackUtilFunctions(util: Record<string, unknown> = require("node:util")): void {
  for (const [name, value] of Object.entries(TAKEN_AWAY)) util[name] ??= value;
}
