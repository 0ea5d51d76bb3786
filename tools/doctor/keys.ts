import { askFor, type Check, failed, ok, skipped } from "./checkup";
import type { Declared } from "./declared";

const PATH = "projects/[a-z0-9-]+/locations/[a-z0-9-]+/keyRings/[\\w-]+/cryptoKeys/[\\w-]+";
/** Of a version nothing but the key. */
export const DATA_KEY = new RegExp(`${PATH}(?![\\w/-])`, "g");
const VERSION = new RegExp(`${PATH}/cryptoKeyVersions/\\d+`, "g");

/** The keys that the stacks use, by their full names. */
export const keysIn = (declared: Declared, pattern: RegExp): readonly string[] => declared.matches(pattern);

interface Key {
  readonly purpose?: string;
  readonly primary?: { readonly name?: string; readonly state?: string };
}

/** Whether what the stacks encrypt with can be used: an enabled version of every key. Who may use it is a grant. */
export const keys: Check = ({ hospital, declared, dry, run }) => {
  const created = new Set(
    declared.ofType("google_kms_crypto_key").map(({ key_ring: ring, name }) => `${ring}/cryptoKeys/${name}`),
  );
  const names = [...new Set([...keysIn(declared, DATA_KEY), ...created])];
  const versions = keysIn(declared, VERSION);
  const restore = (version: string) =>
    `gcloud kms keys versions restore ${version}, then enable it (30 days after a destroy)`;
  return [...names, ...versions].map((name) => {
    const check = `key ${name.split("/").slice(5).join("/").replace("cryptoKeys/", "").replace("cryptoKeyVersions/", "")}`;
    const isVersion = name.includes("/cryptoKeyVersions/");
    const own = created.has(name.replace(/\/cryptoKeyVersions\/\d+$/, ""));
    if (dry && own) return skipped(check, "The data stack makes it.");
    const kind = isVersion ? ["keys", "versions"] : ["keys"];
    const found = askFor<Key & { state?: string }>(run, ["gcloud", "kms", ...kind, "describe", name]);
    if (!found)
      return failed(
        check,
        `There is no ${name}.`,
        own ? `npm run cdktf -- deploy ${hospital.name}-data` : "Make it, or name another in the line.",
      );
    if (isVersion)
      return found.state === "ENABLED"
        ? ok(check, "The version is enabled.")
        : failed(
            check,
            `The version is ${found.state}: it computes no new pseudonym, or seals nothing.`,
            restore(name),
          );
    // A key that signs has no primary version: its user names one.
    if (found.purpose !== "ENCRYPT_DECRYPT") return ok(check, `It is there (${found.purpose}).`);
    return found.primary?.state === "ENABLED"
      ? ok(check, "Its primary version is enabled.")
      : failed(
          check,
          `Its primary version is ${found.primary?.state ?? "missing"}: what it encrypted cannot be read.`,
          restore(found.primary?.name ?? `${name}/cryptoKeyVersions/N`),
        );
  });
};
