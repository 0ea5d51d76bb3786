import type { StorageBucketIamMemberCondition } from "@cdktf/provider-google/lib/storage-bucket-iam-member";

/** Of one condition: https://cloud.google.com/iam/quotas */
const MAX_OPERATORS = 12;
/** https://cloud.google.com/iam/docs/reference/rest/v1/Expr */
const MAX_TITLE = 100;

/**
 * Limits a role on a bucket to objects below some folders.
 *
 * @param folders each with a slash at its end: without one, a folder whose name goes on would be opened too
 * @param except folders below these that stay closed
 * @throws if a folder has none, one that stays closed lies below none, or there are more folders than a condition may name
 */
export function belowFolders(
  bucket: string,
  folders: readonly string[],
  except: readonly string[] = [],
): StorageBucketIamMemberCondition {
  requireFolders([...folders, ...except]);
  const beside = except.find((closed) => !folders.some((folder) => closed !== folder && closed.startsWith(folder)));
  if (beside !== undefined)
    throw new Error(`"${beside}" lies below none of ${folders.join(", ")}, and is closed already.`);
  return conditionOf(bucket, folders, {
    except,
    does: "adds below",
    things: "folders",
    description: "May add objects there, and neither replace nor delete any",
    test: (path) => `resource.name.startsWith("${path}")`,
  });
}

/** The same of a role that reads. */
export function readsBelow(bucket: string, folders: readonly string[]): StorageBucketIamMemberCondition {
  requireFolders(folders);
  return conditionOf(bucket, folders, {
    does: "reads below",
    things: "folders",
    description: "May read objects there by their names, and list none",
    test: (path) => `resource.name.startsWith("${path}")`,
  });
}

function requireFolders(folders: readonly string[]): void {
  const open = folders.find((folder) => !/^[A-Za-z0-9._/-]+\/$/.test(folder));
  if (open !== undefined) throw new Error(`"${open}" is no folder that a condition can name: it must end in a slash.`);
}

/**
 * Limits a role on a bucket to some objects, and to all below some folders.
 *
 * @param names of the objects, and of folders with a slash at the end
 * @throws if a condition cannot name one, or there are more than it may name
 */
export function onlyObjects(bucket: string, names: readonly string[]): StorageBucketIamMemberCondition {
  const open = names.find((name) => !/^[A-Za-z0-9._-][A-Za-z0-9._/-]*$/.test(name));
  if (open !== undefined) throw new Error(`"${open}" is no object that a condition can name.`);
  return conditionOf(bucket, names, {
    does: "replaces",
    things: "objects",
    description: "May write and replace these objects, and no other",
    test: (path) => (path.endsWith("/") ? `resource.name.startsWith("${path}")` : `resource.name == "${path}"`),
  });
}

function conditionOf(
  bucket: string,
  places: readonly string[],
  how: {
    readonly except?: readonly string[];
    readonly does: string;
    readonly things: string;
    readonly description: string;
    readonly test: (path: string) => string;
  },
): StorageBucketIamMemberCondition {
  const { except = [], does, things, description, test } = how;
  const all = places.length + except.length;
  if (all - 1 > MAX_OPERATORS)
    throw new Error(
      `${all} ${things} of ${bucket} are more than one condition may name (${MAX_OPERATORS + 1}): ${[...places, ...except].join(", ")}.`,
    );
  const names = [...places].sort();
  const closed = [...except].sort();
  const title = `${does} ${names.join(", ")}${closed.length > 0 ? ` but ${closed.join(", ")}` : ""}`;
  const tests = (paths: readonly string[]) => paths.map((path) => test(`projects/_/buckets/${bucket}/objects/${path}`));
  const opened = tests(names).join(" || ");
  return {
    title: title.length > MAX_TITLE ? `${does} ${names.length} ${things}` : title,
    description,
    expression: [
      names.length > 1 && closed.length > 0 ? `(${opened})` : opened,
      ...tests(closed).map((one) => `!${one}`),
    ].join(" && "),
  };
}
