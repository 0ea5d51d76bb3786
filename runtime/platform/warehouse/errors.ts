import type { WithMessageForLogs } from "../names-in-logs";
import type { TableName } from "./tables";

const AUDIT_TRAIL =
  "Restore it from a backup or an earlier generation: it is part of the audit trail, and nothing writes it anew.";

/** What a person can do about rows that cannot be read. */
const REPAIR: Readonly<Record<TableName, string>> = {
  images:
    "Restore it from a backup or an earlier generation, or delete it and run npm run ingest again, which writes it anew.",
  assignments:
    "Restore it from a backup or an earlier generation. Only where there is none, delete it and run npm run preprocess " +
    "again: images in it may change their group and split then, so train again before comparing models.",
  predictions: AUDIT_TRAIL,
  audit: AUDIT_TRAIL,
  feedback: "Restore it from a backup or an earlier generation: what people said is written once.",
  features_pca: "Delete it and run npm run features again, which writes it anew.",
  pca_fits: "Delete it and run npm run features again, which writes it anew.",
  features_deep:
    "Delete it and run npm run spark -- score (the model's own features) or npm run features (another network's) again, " +
    "which writes it anew.",
};

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
    const sentence = (place: string) => `The rows of ${table} in ${place} cannot be read: ${what}. ${REPAIR[table]}`;
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
