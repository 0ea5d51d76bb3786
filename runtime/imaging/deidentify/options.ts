/** The options of PS3.15, E.3, beside the basic profile. None is on by default. */
export interface DeidentifyOptions {
  /** Serial numbers, names of stations and devices stay. */
  readonly retainDeviceIdentity?: boolean;
  /** UIDs stay. */
  readonly retainUids?: boolean;
  /** `full`: dates and times stay. `modified`: dates lie `dayShift` days earlier, times stay. */
  readonly retainDates?: "full" | "modified";
  /** Age, sex, weight and the like stay. */
  readonly retainPatientCharacteristics?: boolean;
  /** The institution's name and address stay. */
  readonly retainInstitution?: boolean;
  /** Private elements of a list stay: see private-elements.ts. */
  readonly retainSafePrivate?: boolean;
  /** Of descriptions and comments those words stay that name nobody: see words.ts. */
  readonly cleanDescriptors?: boolean;
  /** What lies in content, acquisition context and specimen sequences stays, each element by its own rule. */
  readonly cleanStructuredContent?: boolean;
  /** Graphic annotations stay, each element by its own rule. Overlays and curves are taken out all the same. */
  readonly cleanGraphics?: boolean;
}

/** Concepts of PS3.16, CID 7050, for what was done. */
export function methodCodes(options: DeidentifyOptions): readonly (readonly [code: string, meaning: string])[] {
  const when = (on: boolean | undefined, code: string, meaning: string): [string, string][] =>
    on ? [[code, `${meaning} Option`]] : [];
  return [
    ["113100", "Basic Application Confidentiality Profile"],
    ...when(options.cleanGraphics, "113103", "Clean Graphics"),
    ...when(options.cleanStructuredContent, "113104", "Clean Structured Content"),
    ...when(options.cleanDescriptors, "113105", "Clean Descriptors"),
    ...when(options.retainDates === "full", "113106", "Retain Longitudinal Temporal Information Full Dates"),
    ...when(options.retainDates === "modified", "113107", "Retain Longitudinal Temporal Information Modified Dates"),
    ...when(options.retainPatientCharacteristics, "113108", "Retain Patient Characteristics"),
    ...when(options.retainDeviceIdentity, "113109", "Retain Device Identity"),
    ...when(options.retainUids, "113110", "Retain UIDs"),
    ...when(options.retainSafePrivate, "113111", "Retain Safe Private"),
    ...when(options.retainInstitution, "113112", "Retain Institution Identity"),
  ];
}
