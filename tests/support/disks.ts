import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A script on a disk of its own, `$DISK`, that really fills up and really becomes read-only: a tmpfs in a mount namespace,
 * which is gone with the script. Where the system allows no mount, limits and rights of the process stand in: the kernel
 * refuses all the same, with other codes. The script has:
 *
 *     small KIB      the disk has that much room, and is empty
 *     resize KIB     it has that much room
 *     seal, unseal   nothing can be written any more, or again
 *     run CMD...     runs it on that disk, and prints "exit N"
 */
export function onOwnDisk(script: string): { readonly stdout: string; readonly stderr: string } {
  const disk = mkdtempSync(join(tmpdir(), "disk-"));
  const [command, ...args] = ownMounts() ?? ["bash"];
  try {
    const { stdout, stderr, error } = spawnSync(
      command as string,
      [...args, "-c", `set -u\n${ownMounts() ? MOUNTED : LIMITED}\n${script}`],
      { encoding: "utf8", env: { ...process.env, DISK: disk, CI: "true" }, maxBuffer: 2 ** 26, timeout: 100_000 },
    );
    if (error) throw error;
    return { stdout, stderr };
  } finally {
    rmSync(disk, { recursive: true, force: true });
  }
}

/** What the kernel says of a disk that is full and of one that is sealed, by either way. */
export const FULL = /\((?:ENOSPC|EFBIG)\)/;
export const SEALED = /\((?:EROFS|EACCES)\)/;

let found: readonly string[] | undefined | null = null;

/** Starts bash where it may mount; undefined if nothing does. `DISKS=limits` tries the other way where both are there. */
function ownMounts(): readonly string[] | undefined {
  if (found !== null) return found;
  const ways = [
    ["unshare", "--mount", "bash"],
    ["unshare", "--user", "--map-root-user", "--mount", "bash"],
  ];
  found =
    process.env.DISKS === "limits"
      ? undefined
      : ways.find(
          ([command, ...args]) =>
            spawnSync(command as string, [...args, "-c", "mount -t tmpfs tmpfs /mnt"]).status === 0,
        );
  return found;
}

const RUN = 'then="$?"; echo "exit $then";';
const MOUNTED = `
small() { mount -t tmpfs -o "size=$1k" tmpfs "$DISK"; }
resize() { mount -o "remount,size=$1k" "$DISK"; }
seal() { mount -o remount,ro "$DISK"; }
unseal() { mount -o remount,rw "$DISK"; }
run() { "$@"; ${RUN} }
`;
/** No file is larger than an eighth of the room. Root obeys the rights of files once it may not override them. */
const LIMITED = `
LIMIT=unlimited
AS=""
[ "$(id -u)" = 0 ] && AS="setpriv --bounding-set=-dac_override,-dac_read_search"
small() { LIMIT="$(($1 / 8))"; }
resize() { LIMIT="$(($1 / 8))"; }
seal() { chmod -R a-w "$DISK"; }
unseal() { chmod -R u+w "$DISK"; }
run() { (ulimit -f "$LIMIT"; $AS "$@"); ${RUN} }
`;
