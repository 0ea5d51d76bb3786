import { decodeText } from "../dicom/character-sets";
import { type Action, type Attribute, basicAction } from "./attributes";
import { earlier } from "./dates";
import type { Identifiers } from "./identifiers";
import type { ReplacementNames } from "./names";
import type { DeidentifyOptions } from "./options";
import { harmlessWords } from "./words";

/** What values are judged by. */
export interface Judge {
  readonly names: ReplacementNames;
  readonly options: DeidentifyOptions;
  readonly identifiers: Identifiers;
}

/** A value of text, whose value representation says how it is written. */
export interface TextValue {
  readonly tag: number;
  /** By the dictionary. */
  readonly vr: string;
  /** Whether the table lists the attribute: then a code is as free as a description. */
  readonly listed: boolean;
  readonly value: Buffer;
  /** Of the character set. */
  readonly terms: readonly string[];
}

/** Value representations of characters: PS3.5, 6.2. */
export const TEXTUAL: ReadonlySet<string> = new Set("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split(" "));

/** Bytes of a value, of those made of numbers. */
export const NUMBER_BYTES: Readonly<Record<string, number>> = {
  AT: 4,
  FD: 8,
  FL: 4,
  SL: 4,
  SS: 2,
  SV: 8,
  UL: 4,
  US: 2,
  "US/SS": 2,
  UV: 8,
};

/** What stands where there must be something. */
const DUMMIES: Readonly<Record<string, string>> = {
  AS: "000D",
  DA: "19000101",
  DS: "0",
  DT: "19000101000000",
  IS: "0",
  TM: "000000",
  UR: "urn:removed",
};

export function dummyOf(vr: string): Buffer {
  const bytes = NUMBER_BYTES[vr];
  if (bytes !== undefined) return Buffer.alloc(bytes);
  return TEXTUAL.has(vr) ? Buffer.from(DUMMIES[vr] ?? "REMOVED") : Buffer.alloc(4);
}

/** Roots and numbers that the standard itself gives: PS3.6, annex A. None has more than four digits. */
export const isStandardUid = (uid: string) => /^1\.2\.840\.10008(\.\d{1,4}){1,10}$/.test(uid);

const isUid = (uid: string) => uid.length <= 64 && /^(0|[1-9]\d*)(\.(0|[1-9]\d*))+$/.test(uid);

/** UIDs that say what something is, and not which one it is. */
const CLASS_UIDS: ReadonlySet<number> = new Set([
  0x0008_0016, 0x0008_001a, 0x0008_001b, 0x0008_0062, 0x0008_010c, 0x0008_1150,
]);

/** Texts that a scanner writes itself, which no list of words can know: kept where they are short and name nobody. */
const MACHINE_TEXTS: ReadonlySet<number> = new Set([
  0x0008_0100, 0x0008_0102, 0x0008_0103, 0x0018_0024, 0x0018_0085, 0x0018_1020, 0x0018_1250, 0x0018_1251, 0x0018_9005,
  0x0018_9047, 0x0020_9056, 0x0028_1054, 0x0028_3004,
]);
const TIME_ZONE = 0x0008_0201;
const BODY_PART = 0x0018_0015;
const CODE_MEANING = 0x0008_0104;

/** Values that people type in, however they are represented. */
const TYPED: ReadonlySet<string> = new Set(["LO", "LT", "SH", "ST", "UC", "UT"]);
/** Bytes of a text that is looked at: 10,240 characters of four. */
const MOST_BYTES = 40_960;
const LINES: ReadonlySet<string> = new Set(["LT", "ST", "UT"]);

const partsOf = (value: Buffer) =>
  value
    .toString("latin1")
    .split("\\")
    .map((part) => part.replace(/^[ \0]+|[ \0]+$/g, ""));

/**
 * The value that an attribute has afterwards, padding aside; undefined where nothing of it may stay, and another action is to
 * be taken.
 */
export function textAfter(text: TextValue, action: Action, judge: Judge): string | undefined {
  const { vr, value } = text;
  if (value.length === 0) return "";
  if (text.tag === TIME_ZONE) return matching(partsOf(value), /^[+-]\d{4}$/);
  if (action === "U") return uidsAfter(partsOf(value), () => false, judge);
  switch (vr) {
    case "DA":
    case "DT":
    case "TM":
      return datesAfter(vr, value, action, judge);
    case "UI":
      return uidsAfter(
        partsOf(value),
        (uid) => isUid(uid) && (action === "K" || (CLASS_UIDS.has(text.tag) && !judge.identifiers.in(uid))),
        judge,
      );
    case "AS":
      return matching(partsOf(value), /^\d{3}[DWMY]$/);
    case "DS":
    case "IS":
      return numbersAfter(partsOf(value), judge);
    case "CS":
      return codesAfter(text, action, judge);
    default:
      return TYPED.has(vr) ? typedAfter(text, action, judge) : undefined;
  }
}

function uidsAfter(uids: readonly string[], stays: (uid: string) => boolean, { names }: Judge): string {
  return uids.map((uid) => (uid === "" || isStandardUid(uid) || stays(uid) ? uid : names.uid(uid))).join("\\");
}

function datesAfter(vr: "DA" | "DT" | "TM", value: Buffer, action: Action, judge: Judge): string | undefined {
  const { retainDates } = judge.options;
  // A device's dates stay with the device; those that no option speaks of follow the option for dates.
  if (action !== "K" && retainDates === undefined) return undefined;
  const shifted = retainDates === "modified" ? judge.names.dayShift : 0;
  const dates = partsOf(value).map((part) => (part === "" ? "" : earlier(vr, part, shifted)));
  return dates.some((date) => date === undefined) ? undefined : dates.join("\\");
}

function matching(parts: readonly string[], pattern: RegExp): string | undefined {
  return parts.every((part) => part === "" || pattern.test(part)) ? parts.join("\\") : undefined;
}

const NUMBER = /^[+-]?(\d{1,32}\.?\d{0,32}|\.\d{1,32})([eE][+-]?\d{1,4})?$/;
/** Digits of a number that may be somebody's. */
const IDENTIFYING_DIGITS = 6;

function numbersAfter(parts: readonly string[], { identifiers }: Judge): string | undefined {
  const named = parts.some((part) => part.length >= IDENTIFYING_DIGITS && identifiers.is(part));
  return named ? undefined : matching(parts, NUMBER);
}

function codesAfter(text: TextValue, action: Action, judge: Judge): string | undefined {
  if (text.value.length > MOST_BYTES) return undefined;
  const parts = partsOf(text.value);
  const typed = text.tag === BODY_PART || (text.listed && action === "C");
  const code = typed ? undefined : matching(parts, /^[A-Z0-9_ ]{1,16}$/);
  if (code === undefined) return words(decodeText(text.value, text.terms), judge);
  return judge.identifiers.in(code) ? undefined : code;
}

/** Characters of a text that stays as it is. */
const LONGEST_KEPT = { line: 64, lines: 1024 };

function typedAfter(text: TextValue, action: Action, judge: Judge): string | undefined {
  if (text.value.length > MOST_BYTES) return undefined;
  const decoded = decodeText(text.value, text.terms)
    .normalize("NFC")
    .replace(/^[ \0]+|[ \0]+$/g, "");
  if (decoded === "") return "";
  if (action !== "K") {
    const plain = MACHINE_TEXTS.has(text.tag) && /^[\x20-\x7e]{1,64}$/.test(decoded);
    if (plain && !judge.identifiers.in(decoded)) return decoded;
    return words(decoded, judge) ?? (text.tag === CODE_MEANING ? dummyOf(text.vr).toString() : undefined);
  }
  const [longest, controls] = LINES.has(text.vr)
    ? [LONGEST_KEPT.lines, /[^\P{Cc}\r\n\t\f]/u]
    : [LONGEST_KEPT.line, /\p{Cc}/u];
  const strange = decoded.length > longest || controls.test(decoded) || decoded.includes("\ufffd");
  return strange || judge.identifiers.in(decoded) ? undefined : decoded;
}

function words(text: string, { identifiers }: Judge): string | undefined {
  const harmless = harmlessWords(text)
    .split(" ")
    .filter((word) => !identifiers.in(word))
    .join(" ");
  return harmless === "" ? undefined : harmless;
}

/** What is done where nothing of a value may stay. */
export function actionWithout(attribute: Attribute, type: 1 | 2 | 3 | undefined): "X" | "Z" | "D" {
  const action = basicAction(attribute, type);
  return action === "X" || action === "D" ? action : "Z";
}
