import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join, relative } from "node:path";

/** A file of an image, by its path from the image's root. */
export interface ImageFile {
  readonly path: string;
  readonly bytes: number;
  readonly executable: boolean;
}

/** Every file of an image; links are followed nowhere. */
export function filesOf(root: string): ImageFile[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mode } = lstatSync(path);
      return { path: relative(root, path), bytes: size, executable: (mode & 0o111) !== 0 };
    });
}

/** What builds programs or brings others: by name, in a folder of programs; headers, caches and static libraries anywhere. */
const TOOLS =
  /^(usr\/)?(local\/)?s?bin\/(gcc|g\+\+|cc|c\+\+|cpp|clang|make|cmake|ld|as|ar|strip|python[\d.]*|pip[\d.]*|npm|npx|corepack|yarn|pnpm|node-gyp|git|curl|wget|x86_64-linux-gnu-\S+)$/;
const LEFTOVERS =
  /(^|\/)(_cacache|\.npm|\.cache|__pycache__|node-gyp|site-packages|dist-packages)\/|\.(h|hpp|a|o|gyp|gypi|whl|pyc)$/;

export const buildTools = (files: readonly ImageFile[]): string[] =>
  files.map(({ path }) => path).filter((path) => TOOLS.test(path) || LEFTOVERS.test(path));

/** Files that hold secrets by their names, and what stands in small files and looks like one. */
const SECRET_NAMES =
  /(^|\/)(\.npmrc|\.netrc|\.git-credentials|\.env(\..+)?|id_(rsa|ed25519|ecdsa)|.*\.(pem|p12|pfx|key)|.*credentials.*\.json|images\.lock\.json)$/i;
const SECRET_TEXT =
  /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}|"private_key_id"\s*:\s*"[0-9a-f]{40}"|\bAIza[0-9A-Za-z_-]{35}\b|\bya29\.[0-9A-Za-z_-]{20,}|\bgh[pousr]_[0-9A-Za-z]{36}\b|\bnpm_[0-9A-Za-z]{36}\b|\bAKIA[0-9A-Z]{16}\b|_authToken\s*=/;
/** One of these stands in everything that {@link SECRET_TEXT} finds: bytes are searched faster than text. */
const NEEDLES = ["PRIVATE KEY-----", "private_key_id", "AIza", "ya29.", "AKIA", "npm_", "_authToken"].concat(
  [..."pousr"].map((kind) => `gh${kind}_`),
);
const LARGEST_TEXT = 16 * 2 ** 20;
/** Tests itself with keys that everybody knows. */
const KNOWN_KEYS = /^usr\/lib\/x86_64-linux-gnu\/libgnutls\.so/;

export const secrets = (root: string, files: readonly ImageFile[]): string[] =>
  files
    .filter(
      ({ path, bytes }) =>
        SECRET_NAMES.test(path) || (bytes <= LARGEST_TEXT && !KNOWN_KEYS.test(path) && holdsSecret(join(root, path))),
    )
    .map(({ path }) => path);

function holdsSecret(path: string): boolean {
  const content = readFileSync(path);
  return NEEDLES.some((needle) => content.includes(needle)) && SECRET_TEXT.test(content.toString("latin1"));
}

/** e_machine of x86-64. https://refspecs.linuxfoundation.org/elf/elf.pdf */
const X86_64 = 62;
const MAGIC: readonly (readonly [string, RegExp])[] = [
  ["Windows", /^MZ/],
  ["macOS", /^(\xcf\xfa\xed\xfe|\xce\xfa\xed\xfe|\xfe\xed\xfa\xcf|\xfe\xed\xfa\xce|\xca\xfe\xba\xbe)/],
];
/** Names under which packages carry binaries for other systems. */
const FOREIGN_NAME =
  /(darwin|win32|windows|android|freebsd|openharmony|musl|arm64|aarch64|armhf|-arm\b|s390x|ppc64|riscv64|ia32|wasm32)/;

/** Binaries that do not run on Linux x64 with glibc: what is wrong, and where. */
export function foreignBinaries(root: string, files: readonly ImageFile[]): string[] {
  return files.flatMap(({ path, bytes }) => {
    if (bytes < 64) return [];
    const head = Buffer.alloc(20);
    const file = openSync(join(root, path), "r");
    readSync(file, head, 0, head.length, 0);
    closeSync(file);
    const text = head.toString("latin1");
    const other = MAGIC.find(([, magic]) => magic.test(text));
    if (other) return [`${other[0]}: ${path}`];
    const inPackage = path.slice(path.lastIndexOf("node_modules/"));
    const isForeign = path.includes("node_modules/") && FOREIGN_NAME.test(inPackage);
    if (text.startsWith("\0asm")) return isForeign ? [`another platform: ${path}`] : [];
    if (!text.startsWith("\x7fELF")) return [];
    if (head[4] !== 2 || head.readUInt16LE(18) !== X86_64) return [`another processor: ${path}`];
    return isForeign ? [`another platform: ${path}`] : [];
  });
}

/** npm packages that an image really has: `name@version`. */
export function installedPackages(root: string, files: readonly ImageFile[]): Set<string> {
  const manifest = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\/package\.json$/;
  return new Set(
    files.flatMap(({ path }) => {
      const [, name] = manifest.exec(path) ?? [];
      if (!name) return [];
      const { version } = JSON.parse(readFileSync(join(root, path), "utf8")) as { version?: string };
      return [`${name}@${version}`];
    }),
  );
}

/** Packages of Debian that an image says it has: `name@version`. */
export function debianPackages(root: string): Set<string> {
  const status = readFileSync(join(root, "var/lib/dpkg/status"), "utf8");
  const field = (entry: string, name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(entry)?.[1];
  return new Set(
    status
      .split("\n\n")
      .filter((entry) => field(entry, "Status")?.endsWith(" installed"))
      .map((entry) => `${field(entry, "Package")}@${field(entry, "Version")}`),
  );
}

/** Sizes for people: folders that hold a hundredth or more of an image, in MB of 10^6 bytes. */
export function sizeTable(name: string, files: readonly ImageFile[]): string {
  const all = total(files);
  const folders = new Map<string, number>();
  for (const { path, bytes } of files) {
    const [, group = path] =
      /^((?:[^/]+\/node_modules\/(?:@[^/]+\/)?[^/]+(?:\/deps\/[^/]+)?)|(?:[^/]+\/){1,2}[^/]+)/.exec(path) ?? [];
    folders.set(group, (folders.get(group) ?? 0) + bytes);
  }
  const shown = [...folders].filter(([, bytes]) => bytes >= all / 100).sort(([, a], [, b]) => b - a);
  const rest = all - shown.reduce((sum, [, bytes]) => sum + bytes, 0);
  const row = (what: string, bytes: number) => `${megabytes(bytes).toFixed(1).padStart(9)} MB  ${what}`;
  return [
    row(`${name}, unpacked`, all),
    ...shown.map(([folder, bytes]) => row(`  ${folder}`, bytes)),
    row("  the rest", rest),
  ].join("\n");
}

export const total = (files: readonly ImageFile[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);
export const megabytes = (bytes: number): number => bytes / 1e6;
