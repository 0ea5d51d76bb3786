/** Elements that pictures need. Decoding keeps nothing else of a file by its name, so that no identifier can be. */
export const TAG = {
  mediaStorageSopClass: 0x0002_0002,
  transferSyntax: 0x0002_0010,
  sopClass: 0x0008_0016,
  modality: 0x0008_0060,
  position: 0x0020_0032,
  orientation: 0x0020_0037,
  samples: 0x0028_0002,
  photometric: 0x0028_0004,
  planar: 0x0028_0006,
  frames: 0x0028_0008,
  rows: 0x0028_0010,
  columns: 0x0028_0011,
  spacing: 0x0028_0030,
  aspect: 0x0028_0034,
  bitsAllocated: 0x0028_0100,
  bitsStored: 0x0028_0101,
  highBit: 0x0028_0102,
  signed: 0x0028_0103,
  padding: 0x0028_0120,
  paddingLimit: 0x0028_0121,
  burnedIn: 0x0028_0301,
  windowCenter: 0x0028_1050,
  windowWidth: 0x0028_1051,
  intercept: 0x0028_1052,
  slope: 0x0028_1053,
  windowFunction: 0x0028_1056,
  redDescriptor: 0x0028_1101,
  greenDescriptor: 0x0028_1102,
  blueDescriptor: 0x0028_1103,
  redTable: 0x0028_1201,
  greenTable: 0x0028_1202,
  blueTable: 0x0028_1203,
  redSegments: 0x0028_1221,
  modalityTables: 0x0028_3000,
  tableDescriptor: 0x0028_3002,
  tableData: 0x0028_3006,
  voiTables: 0x0028_3010,
  extendedOffsets: 0x7fe0_0001,
  extendedLengths: 0x7fe0_0002,
  floatPixels: 0x7fe0_0008,
  doublePixels: 0x7fe0_0009,
  pixels: 0x7fe0_0010,
  sharedGroups: 0x5200_9229,
  frameGroups: 0x5200_9230,
  planePosition: 0x0020_9113,
  planeOrientation: 0x0020_9116,
  pixelMeasures: 0x0028_9110,
  frameVoi: 0x0028_9132,
  valueTransformation: 0x0028_9145,
} as const;

/** Which elements a walk keeps. */
export interface WantedElements {
  readonly kept: ReadonlySet<number>;
  /** Those of them that hold items. */
  readonly sequences: ReadonlySet<number>;
}

/** What a picture needs. */
export const PICTURE_ELEMENTS: WantedElements = {
  kept: new Set(Object.values(TAG)),
  sequences: new Set([
    TAG.modalityTables,
    TAG.voiTables,
    TAG.sharedGroups,
    TAG.frameGroups,
    TAG.planePosition,
    TAG.planeOrientation,
    TAG.pixelMeasures,
    TAG.frameVoi,
    TAG.valueTransformation,
  ]),
};

export const PIXELS: ReadonlySet<number> = new Set([TAG.pixels, TAG.floatPixels, TAG.doublePixels]);
