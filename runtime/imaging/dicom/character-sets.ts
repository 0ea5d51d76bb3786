import { TextDecoder } from "node:util";

/** Turns the bytes of a text into characters. */
type Decode = (bytes: Buffer) => string;

const decoders = new Map<string, TextDecoder>();

/** By a name of the Encoding Standard. What is no character becomes U+FFFD: nothing throws. */
const by =
  (name: string): Decode =>
  (bytes) => {
    const decoder = decoders.get(name) ?? new TextDecoder(name, { ignoreBOM: true });
    decoders.set(name, decoder);
    return decoder.decode(bytes);
  };

const latin1: Decode = (bytes) => bytes.toString("latin1");

/** Where no character set is said, or one that nobody knows: ASCII by the standard; by practice UTF-8 where it is that. */
const unsaid: Decode = (bytes) => {
  const text = by("utf-8")(bytes);
  return text.includes("\ufffd") ? latin1(bytes) : text;
};

/** Two bytes of 7 bits a character, as their set has them when both have 8. */
const raised = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte | 0x80));

/** JIS X 0212 in EUC: each character has a byte before its two. */
const jis0212: Decode = (bytes) => {
  const pairs: number[] = [];
  for (let i = 0; i + 1 < bytes.length; i += 2)
    pairs.push(0x8f, (bytes[i] as number) | 0x80, (bytes[i + 1] as number) | 0x80);
  return by("euc-jp")(Buffer.from(pairs));
};

/**
 * Sets that a text may begin with, by the number of their defined term: DICOM PS3.3, C.12.1.1.2. Korean and Chinese ones
 * are called up by an escape sequence, which some leave out.
 */
const INITIAL: Readonly<Record<string, Decode>> = {
  13: by("shift_jis"),
  58: by("gb18030"),
  100: latin1,
  101: by("iso-8859-2"),
  109: by("iso-8859-3"),
  110: by("iso-8859-4"),
  126: by("iso-8859-7"),
  127: by("iso-8859-6"),
  138: by("iso-8859-8"),
  144: by("iso-8859-5"),
  148: by("iso-8859-9"),
  149: by("euc-kr"),
  166: by("windows-874"),
  203: by("iso-8859-15"),
};

/** Sets that take all bytes, and no others beside them. */
const WHOLE: Readonly<Record<string, Decode>> = { 192: by("utf-8"), GB18030: by("gb18030"), GBK: by("gb18030") };

/** What is in force for bytes of 7 bits (G0), and for those of 8 (G1). */
interface Sets {
  readonly g0: Decode;
  readonly g1: Decode;
}

/** Escape sequences: PS3.3, tables C.12-3 and C.12-4. */
const ESCAPES: readonly (readonly [sequence: string, sets: Partial<Sets>])[] = [
  ["\x1b(B", { g0: latin1 }],
  ["\x1b(J", { g0: by("shift_jis") }],
  ["\x1b)I", { g1: by("shift_jis") }],
  ["\x1b-A", { g1: INITIAL[100] as Decode }],
  ["\x1b-B", { g1: INITIAL[101] as Decode }],
  ["\x1b-C", { g1: INITIAL[109] as Decode }],
  ["\x1b-D", { g1: INITIAL[110] as Decode }],
  ["\x1b-F", { g1: INITIAL[126] as Decode }],
  ["\x1b-G", { g1: INITIAL[127] as Decode }],
  ["\x1b-H", { g1: INITIAL[138] as Decode }],
  ["\x1b-L", { g1: INITIAL[144] as Decode }],
  ["\x1b-M", { g1: INITIAL[148] as Decode }],
  ["\x1b-T", { g1: INITIAL[166] as Decode }],
  ["\x1b-b", { g1: INITIAL[203] as Decode }],
  ["\x1b$)C", { g1: by("euc-kr") }],
  ["\x1b$)A", { g1: by("gb18030") }],
  ["\x1b$B", { g0: (bytes) => by("euc-jp")(raised(bytes)) }],
  ["\x1b$(D", { g0: jis0212 }],
];

const ESCAPE = 0x1b;
/** What ends a line, a value or a part of a name ends every set that was called up: PS3.5, 6.1.2.5.3. */
const DELIMITERS = "\t\n\f\r\\^=";

/**
 * A text as characters. What is none becomes U+FFFD.
 *
 * @param terms of Specific Character Set; none: it is not said
 */
export function decodeText(bytes: Buffer, terms: readonly string[]): string {
  const known = terms.map(termOf);
  const whole = WHOLE[known[0] ?? ""];
  if (whole) return whole(bytes);
  const initial: Sets = { g0: latin1, g1: known.flatMap((term) => INITIAL[term] ?? [])[0] ?? unsaid };
  return bytes.includes(ESCAPE) ? withEscapes(bytes, initial) : initial.g1(bytes);
}

/** ISO_IR 100, ISO 2022 IR 100 and what people make of them are 100; other terms are themselves. */
function termOf(term: string): string {
  const plain = term.trim().toUpperCase();
  return /^ISO[ _-]?(?:2022[ _-]?)?IR[ _-]?(\d{1,3})$/.exec(plain)?.[1] ?? plain;
}

function withEscapes(bytes: Buffer, initial: Sets): string {
  let sets = initial;
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const called = ESCAPES.find(([sequence]) => bytes.toString("latin1", at, at + sequence.length) === sequence);
    if (called) {
      sets = { ...sets, ...called[1] };
      at += called[0].length;
      continue;
    }
    const character = String.fromCharCode(bytes[at] as number);
    // Two bytes of 7 bits may look like a delimiter; a control character is one all the same.
    if (DELIMITERS.includes(character) && (sets.g0 === latin1 || character < " ")) {
      sets = initial;
      text += character;
      at++;
      continue;
    }
    const end = endOfRun(bytes, at, sets.g0 === latin1);
    text += (character < "\x80" ? sets.g0 : sets.g1)(bytes.subarray(at, end));
    at = end;
  }
  return text;
}

/** Where bytes end that belong to one set. */
function endOfRun(bytes: Buffer, start: number, delimited: boolean): number {
  const high = (bytes[start] as number) >= 0x80;
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80 !== high || byte === ESCAPE) return at;
    if (DELIMITERS.includes(String.fromCharCode(byte)) && (delimited || byte < 0x20)) return at;
  }
  return bytes.length;
}
