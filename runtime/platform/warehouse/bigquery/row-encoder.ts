import type { JSONEncoder } from "@google-cloud/bigquery-storage/build/src/managedwriter/encoder";
import type { Column, ColumnType } from "../tables";

/** Types of protocol buffers, by number, in which the Storage Write API takes a column: https://cloud.google.com/bigquery/docs/supported-data-types */
const WIRE: Readonly<Record<ColumnType, number>> = {
  STRING: 9,
  INT64: 3,
  FLOAT64: 1,
  BOOL: 8,
  // An int64: microseconds since 1970.
  TIMESTAMP: 3,
};
const OPTIONAL = 1;
const REPEATED = 3;

/** Rows of some columns as protocol buffers, and what BigQuery has to know to read them. */
export class RowEncoder {
  /** A DescriptorProto, as JSON. */
  readonly descriptor: object;

  private readonly encoder: JSONEncoder;

  constructor(private readonly columns: readonly Column[]) {
    this.descriptor = {
      name: "Row",
      field: columns.map(({ name, type, mode }, index) => ({
        name,
        number: index + 1,
        type: WIRE[type],
        label: mode === "REPEATED" ? REPEATED : OPTIONAL,
      })),
    };
    // The package's own index loads every version of the API and Arrow beside these.
    require("@google-cloud/bigquery-storage/build/src/protobuf");
    const { JSONEncoder } =
      require("@google-cloud/bigquery-storage/build/src/managedwriter/encoder") as typeof import("@google-cloud/bigquery-storage/build/src/managedwriter/encoder");
    this.encoder = new JSONEncoder({ protoDescriptor: this.descriptor });
  }

  /** A row without its nulls: a column that is not written is null. */
  encode(row: Readonly<Record<string, unknown>>): Uint8Array {
    const message: Record<string, unknown> = {};
    for (const { name, type } of this.columns) {
      const value = row[name];
      if (value === null || value === undefined) continue;
      message[name] = type === "TIMESTAMP" ? microseconds(String(value)) : value;
    }
    return this.encoder.encodeRows([message as never])[0] as Uint8Array;
  }
}

/** Of an ISO 8601 time, whose digits beyond milliseconds Date would drop. */
function microseconds(time: string): number {
  const [, beyond = ""] = /\.\d{3}(\d{1,3})/.exec(time) ?? [];
  return Date.parse(time) * 1000 + Number(beyond.padEnd(3, "0"));
}
