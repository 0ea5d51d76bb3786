import type { DataSet } from "./data-set";
import { TAG } from "./tags";

/** What holds for one frame: its own functional groups say it, else those that all share, else the file (PS3.3, C.7.6.16). */
export class FrameFacts {
  private readonly groups: readonly DataSet[];

  constructor(
    private readonly dataSet: DataSet,
    index: number,
  ) {
    const own = dataSet.items(TAG.frameGroups)[index];
    const [shared] = dataSet.items(TAG.sharedGroups);
    this.groups = [own, shared].filter((group) => group !== undefined);
  }

  /** Where an attribute of a group stands: in it, or in the file itself. */
  private group(tag: number, attribute: number): DataSet {
    for (const group of this.groups) {
      const [item] = group.items(tag);
      if (item?.has(attribute)) return item;
    }
    return this.dataSet;
  }

  /** Where the modality's table or rescaling stands. */
  get transformation(): DataSet {
    return this.group(TAG.valueTransformation, TAG.slope);
  }

  /** Where the window or table for looking at the frame stands. */
  get voi(): DataSet {
    const table = this.group(TAG.frameVoi, TAG.voiTables);
    return table.items(TAG.voiTables).length > 0 ? table : this.group(TAG.frameVoi, TAG.windowCenter);
  }

  /** Directions of a row and of a column in the patient: six cosines; none where the file does not say them. */
  get orientation(): readonly number[] {
    return this.group(TAG.planeOrientation, TAG.orientation).decimals(TAG.orientation, "orientation");
  }

  /** Where the middle of the first pixel lies in the patient, mm: left, back, head. */
  get position(): readonly number[] {
    return this.group(TAG.planePosition, TAG.position).decimals(TAG.position, "position");
  }

  /**
   * How far rows lie from each other, as a share of how far columns do; 1 where the file does not say it.
   */
  get rowsToColumns(): number {
    const measures = this.group(TAG.pixelMeasures, TAG.spacing);
    const spacing = measures.decimals(TAG.spacing, "pixel spacing");
    const [rows = 0, columns = 0] =
      spacing.length === 2 ? spacing : this.dataSet.decimals(TAG.aspect, "pixel aspect ratio");
    return rows > 0 && columns > 0 ? rows / columns : 1;
  }
}
