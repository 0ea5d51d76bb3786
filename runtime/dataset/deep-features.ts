import { createHash } from "node:crypto";
import { DEEP_PICTURES, type FeaturesDeepRow, type Warehouse } from "../platform/warehouse";

/** What the rows of the table `features_deep` belong to beside the picture. */
export interface ExtractedBy {
  /** Id of the pixel recipe. */
  readonly recipe: string;
  /** Id of the model, or the name of another network with the beginning of its SHA-256. */
  readonly backbone: string;
}

/** SHA-256s of the pictures that have features by a network. */
export async function picturesWithFeatures(warehouse: Warehouse, by: ExtractedBy): Promise<Set<string>> {
  return new Set((await warehouse.ask(DEEP_PICTURES, { ...by })).map(({ sha256 }) => sha256));
}

/**
 * Adds what a network sees in some pictures. The batch's name depends on the pictures and the network alone: the same
 * pictures again are the same rows.
 *
 * @param features 32-bit floats by the pictures' SHA-256, one or more
 */
export async function appendFeatures(
  warehouse: Warehouse,
  by: ExtractedBy,
  features: ReadonlyMap<string, Float32Array>,
  now: Date,
): Promise<void> {
  const { recipe, backbone } = by;
  const extracted_at = now.toISOString();
  const rows: FeaturesDeepRow[] = [...features]
    .map(([sha256, values]) => ({
      id: hash([sha256, recipe, backbone]),
      ...{ sha256, recipe, backbone },
      features: Array.from(values),
      extracted_at,
    }))
    .sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  const name = `${recipe}/${backbone}/${hash(rows.map(({ sha256 }) => sha256)).slice(0, 20)}`;
  await warehouse.append("features_deep", name, rows);
}

const hash = (parts: readonly string[]) => createHash("sha256").update(parts.join("\n")).digest("hex");
