import type { DeidentifyOptions } from "./options";
import { OTHERS, PROFILE, TYPES } from "./tables";

/** A standard attribute. */
export interface Attribute {
  /** Value representation by the dictionary; `US/SS` and the like where there are two. */
  readonly vr: string;
  /** Action of the basic profile, as in the table; undefined of what the table does not list. */
  readonly basic: string | undefined;
  /** Letters of the options in which it has another action: see scripts/make-deidentification-tables.js. */
  readonly options: string;
}

/** PS3.15, table E.1-1a: remove, empty, dummy value, other UID, keep, clean. */
export type Action = "X" | "Z" | "D" | "U" | "K" | "C";

/** What an IOD asks of an attribute: 1 there with a value, 2 there, 3 as one likes. Undefined: the IOD is not known. */
export type AttributeType = 1 | 2 | 3 | undefined;

const lines = (text: string) => text.trim().split("\n");

const ATTRIBUTES: ReadonlyMap<number, Attribute> = new Map([
  ...lines(OTHERS).flatMap((line) => {
    const [vr = "", ...tags] = line.split(" ");
    return tags.map((tag): [number, Attribute] => [Number.parseInt(tag, 16), { vr, basic: undefined, options: "" }]);
  }),
  ...lines(PROFILE).flatMap((line): [number, Attribute][] => {
    const [tag = "", vr = "", basic = "", options = ""] = line.split(" ");
    return /^[0-9a-f]{8}$/.test(tag) ? [[Number.parseInt(tag, 16), { vr, basic, options }]] : [];
  }),
]);

/** Undefined of what is retired, private, an overlay or a curve, or newer than the tables: it is taken out. */
export const attributeOf = (tag: number): Attribute | undefined => ATTRIBUTES.get(tag);

const SOP_CLASSES = "1.2.840.10008.5.1.4.";

const TYPES_BY_CLASS: ReadonlyMap<string, ReadonlyMap<number, 1 | 2>> = new Map(
  lines(TYPES).flatMap((line) => {
    const [first = "", second = "", ...classes] = line.split(" ");
    const tags = (list: string, type: 1 | 2): [number, 1 | 2][] =>
      list === "-" ? [] : list.split(",").map((tag) => [Number.parseInt(tag, 16), type]);
    const types = new Map([...tags(first, 1), ...tags(second, 2)]);
    return classes.map((name): [string, ReadonlyMap<number, 1 | 2>] => [
      name.startsWith("1.2.840.") ? name : `${SOP_CLASSES}${name}`,
      types,
    ]);
  }),
);

/** What instances of a SOP class ask of an attribute at their outermost level. */
export function typeOf(tag: number, sopClass: string | undefined): AttributeType {
  const types = TYPES_BY_CLASS.get(sopClass ?? "");
  return types && (types.get(tag) ?? 3);
}

/** What is done with an attribute of the table. */
export function actionOf(attribute: Attribute, type: AttributeType, options: DeidentifyOptions): Action {
  return optionAction(attribute.options, options) ?? basicAction(attribute, type);
}

/** Where two options speak of one attribute, the one that changes it is followed: a calibration's date is shifted too. */
function optionAction(letters: string, options: DeidentifyOptions): "K" | "C" | undefined {
  const said = (letter: string, on: boolean | undefined) => on === true && letters.includes(letter);
  const cleaned =
    said("M", options.retainDates === "modified") ||
    said("T", options.cleanDescriptors) ||
    said("S", options.cleanStructuredContent) ||
    said("G", options.cleanGraphics) ||
    said("d", options.retainDeviceIdentity) ||
    said("p", options.retainPatientCharacteristics);
  if (cleaned) return "C";
  const kept =
    said("F", options.retainDates === "full") ||
    said("U", options.retainUids) ||
    said("D", options.retainDeviceIdentity) ||
    said("I", options.retainInstitution) ||
    said("P", options.retainPatientCharacteristics);
  return kept ? "K" : undefined;
}

/**
 * Of `X/Z/D` the first that the type allows. Where the type is not known, the last: it is right whatever the type, and
 * tells as little as the others.
 */
export function basicAction({ basic = "Z" }: Attribute, type: AttributeType): Action {
  const actions = basic.replace("*", "").split("/") as Action[];
  const allowed = type === 3 ? actions : actions.filter((action) => action !== "X");
  const first = type === 2 || type === 3 ? allowed[0] : undefined;
  return first ?? (actions.at(-1) as Action);
}
