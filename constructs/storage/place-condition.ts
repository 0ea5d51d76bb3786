import type { StorageBucketIamMemberCondition } from "@cdktf/provider-google/lib/storage-bucket-iam-member";

/** Of one condition: https://cloud.google.com/iam/quotas */
const MAX_OPERATORS = 12;
/** https://cloud.google.com/iam/docs/reference/rest/v1/Expr */
const MAX_TITLE = 100;

/**
 * Limits a role on a bucket to objects below some folders.
 *
 * @param folders each with a slash at its end: without one, a folder whose name goes on would be opened too
 * @throws if a folder has none, or there are more folders than a condition may name
 */
export function belowFolders(bucket: string, folders: readonly string[]): StorageBucketIamMemberCondition {
  const open = folders.find((folder) => !/^[A-Za-z0-9._/-]+\/$/.test(folder));
  if (open !== undefined) throw new Error(`"${open}" is no folder that a condition can name: it must end in a slash.`);
  return conditionOf(bucket, folders, {
    does: "adds below",
    things: "folders",
    description: "May add objects there, and neither replace nor delete any",
    test: (path) => `resource.name.startsWith("${path}")`,
  });
}

/**
 * Limits a role on a bucket to some objects.
 *
 * @param names of the objects
 * @throws if one is that of a folder, or there are more than a condition may name
 */
export function onlyObjects(bucket: string, names: readonly string[]): StorageBucketIamMemberCondition {
  const open = names.find((name) => !/^[A-Za-z0-9._/-]*[A-Za-z0-9._-]$/.test(name));
  if (open !== undefined) throw new Error(`"${open}" is no object that a condition can name.`);
  return conditionOf(bucket, names, {
    does: "replaces",
    things: "objects",
    description: "May write and replace these objects, and no other",
    test: (path) => `resource.name == "${path}"`,
  });
}

function conditionOf(
  bucket: string,
  places: readonly string[],
  how: {
    readonly does: string;
    readonly things: string;
    readonly description: string;
    readonly test: (path: string) => string;
  },
): StorageBucketIamMemberCondition {
  const { does, things, description, test } = how;
  if (places.length - 1 > MAX_OPERATORS)
    throw new Error(
      `${places.length} ${things} of ${bucket} are more than one condition may name (${MAX_OPERATORS + 1}): ${places.join(", ")}.`,
    );
  const names = [...places].sort();
  const title = `${does} ${names.join(", ")}`;
  return {
    title: title.length > MAX_TITLE ? `${does} ${names.length} ${things}` : title,
    description,
    expression: names.map((name) => test(`projects/_/buckets/${bucket}/objects/${name}`)).join(" || "),
  };
}
