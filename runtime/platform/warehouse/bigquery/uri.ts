import { ConfigurationError } from "../../config";

/** Which dataset, and how it is asked. */
export interface DatasetAddress {
  readonly project: string;
  readonly dataset: string;
  /** What one question may cost, in bytes that it reads; the tables' columns, not their rows. */
  readonly maximumBytesBilled: number;
}

const FORM = /^bigquery:\/\/([a-z][a-z0-9.:-]{4,61}[a-z0-9])\/([A-Za-z0-9_]{1,1024})\/?(?:\?(.*))?$/;
const GIB = 1024 ** 3;
/** Some 0.3 of a dollar on demand. */
const MAXIMUM_GIB = 50;

export const isDataset = (uri: string): boolean => uri.startsWith("bigquery:");

/**
 * @param uri `bigquery://PROJECT/DATASET`, with `?maximumGib=N` perhaps
 * @throws {ConfigurationError} with everything that is wrong with it
 */
export function parseDataset(uri: string): DatasetAddress {
  const [, project, dataset, query = ""] = FORM.exec(uri) ?? [];
  if (project === undefined || dataset === undefined)
    throw new ConfigurationError("The warehouse", [
      `"${uri}" is no dataset: write bigquery://PROJECT/DATASET, the dataset in letters, digits and underscores.`,
    ]);
  const given = new URLSearchParams(query);
  const problems: string[] = [];
  for (const name of given.keys())
    if (name !== "maximumGib") problems.push(`"${name}" is no setting of a dataset: there is maximumGib alone.`);
  const gib = given.get("maximumGib") ?? String(MAXIMUM_GIB);
  if (!/^[0-9]{1,7}$/.test(gib) || Number(gib) < 1)
    problems.push(
      `maximumGib is "${gib}": it must be a whole number from 1 on, the gibibytes that one question may read.`,
    );
  if (problems.length > 0) throw new ConfigurationError("The warehouse", problems);
  return { project, dataset, maximumBytesBilled: Number(gib) * GIB };
}
