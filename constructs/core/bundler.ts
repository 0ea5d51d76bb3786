/** What bundles. Loaded where it is needed: the package, which brings its bundles, does without it. */
export const bundler = () => require("esbuild") as typeof import("esbuild");
