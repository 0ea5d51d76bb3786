/** esbuild makes one file of all styles that are imported. */
declare module "*.css";
