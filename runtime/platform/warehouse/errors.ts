import type { WithMessageForLogs } from "../names-in-logs";
import { LAYOUTS, type TableName } from "./tables";

/** Stored rows that are not what was written: cut short, overwritten, edited. */
export class DamagedRowsError extends Error implements WithMessageForLogs {
  /** Names of batches are made by this program and tell nothing of a person. */
  readonly forLogs: string;

  /**
   * @param location the object, with its store
   * @param what completes "ROWS cannot be read: "
   */
  constructor(
    readonly table: TableName,
    readonly location: string,
    what: string,
    options?: ErrorOptions,
  ) {
    const sentence = (place: string) =>
      `The rows of ${table} in ${place} cannot be read: ${what}. ${LAYOUTS[table].repair}`;
    super(sentence(location), options);
    this.forLogs = sentence(location.slice(location.lastIndexOf(`/${table}/`) + 1));
    this.name = new.target.name;
  }
}

/** Rows are added and never replaced: other ones have the name already. */
export class DifferentRowsError extends Error {
  /** @param difference completes "other rows of that name are there already: " and holds no value of a row */
  constructor(
    readonly table: TableName,
    readonly batch: string,
    location: string,
    difference: string,
  ) {
    super(
      `Rows of ${table} were not added as ${batch}: other rows of that name are in ${location} already: ${difference}. ` +
        "Rows are never replaced; start the step again, which goes by what is there.",
    );
    this.name = new.target.name;
  }
}
