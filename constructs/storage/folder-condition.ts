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
  if (folders.length - 1 > MAX_OPERATORS)
    throw new Error(
      `${folders.length} folders of ${bucket} are more than one condition may name (${MAX_OPERATORS + 1}): ${folders.join(", ")}.`,
    );
  const names = [...folders].sort();
  const title = `adds below ${names.join(", ")}`;
  return {
    title: title.length > MAX_TITLE ? `adds below ${names.length} folders` : title,
    description: "May add objects there, and neither replace nor delete any",
    expression: names
      .map((folder) => `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${folder}")`)
      .join(" || "),
  };
}
