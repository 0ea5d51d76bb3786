export { Crc32cStream, crc32cOf, crc32cOfFile, encodeCrc32c } from "./crc32c";
export { DirectoryStore } from "./directory-store";
export { FolderStore } from "./folder-store";
export { GcsStore } from "./gcs-store";
export { creatableOnly, readableOnly } from "./narrow-store";
export { checkObjectName, compareNames } from "./object-name";
export * from "./object-store";
export { openStore } from "./open-store";
export { tryToCreate } from "./try-to-create";
