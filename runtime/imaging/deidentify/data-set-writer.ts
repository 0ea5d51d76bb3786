import { decodeText } from "../dicom/character-sets";
import { truncated } from "../dicom/failures";
import { PICTURE_ELEMENTS, PIXELS } from "../dicom/tags";
import { LONG, SHORT, type Visitor } from "../dicom/walk";
import { type Action, type Attribute, type AttributeType, actionOf, attributeOf, typeOf } from "./attributes";
import { termsOf } from "./identifiers";
import { creatorTag, hasSafeElements, isPrivate, isPrivateCreator, safePrivateVr } from "./private-elements";
import { actionWithout, dummyOf, isStandardUid, type Judge, NUMBER_BYTES, TEXTUAL, textAfter } from "./values";
import { Chunks, type ElementWriter } from "./writer";

const CHARACTER_SET = 0x0008_0005;
const INSTANCE = 0x0008_0018;
const ACCESSION = 0x0008_0050;
const PATIENT_ID = 0x0010_0020;

/** What concerns the whole file. */
export interface Whole extends Judge {
  readonly writer: ElementWriter;
  /** Whether the file that is read is big endian. */
  readonly bigEndian: boolean;
  readonly sopClass: string | undefined;
  /** Native pixels as they are to be written. */
  readonly native: (value: Buffer) => Buffer;
  /** Encapsulated ones, the offset table first. */
  readonly encapsulated: (fragments: readonly Buffer[]) => readonly Buffer[];
}

/** A data set that is read, and where it is written to; undefined for the outermost, whose elements have places of their own. */
interface Place {
  readonly to: Chunks | undefined;
  terms: readonly string[];
  /** Creators of private blocks that are kept, by their tag. */
  readonly creators: Map<number, string>;
  /** Whether values in it are replaced whatever they are: it belongs to a sequence that is. */
  readonly replaced: boolean;
}

interface Sequence extends Pick<Place, "terms" | "replaced"> {
  readonly to: Chunks;
}

/** What becomes of one element. */
interface Rule {
  /** By the dictionary, with one of two chosen. */
  readonly vr: string;
  readonly action: Action;
  readonly attribute: Attribute;
  readonly type: AttributeType;
}

/** Writes what may stay of a data set. */
export class DataSetWriter implements Visitor<Place, Sequence> {
  readonly endsAtPixels = false;
  /** Outermost elements by their tag: of two the later counts, as for whoever reads them. */
  readonly elements = new Map<number, Chunks>();
  /** SOP Instance UID as it was written. */
  instance: string | undefined;
  /** Whether there is a character that ASCII lacks. */
  beyondAscii = false;

  constructor(private readonly whole: Whole) {}

  /** The outermost data set. */
  readonly outermost: Place = { to: undefined, terms: [], creators: new Map(), replaced: false };

  enter(place: Place, tag: number, vr: string | undefined): Sequence | "value" | "nothing" {
    if (tag === CHARACTER_SET || PIXELS.has(tag)) return "value";
    const rule = this.ruleOf(place, tag, vr);
    if (rule === undefined) return isPrivateCreator(tag) && this.whole.options.retainSafePrivate ? "value" : "nothing";
    const { action, attribute } = rule;
    if (attribute.vr !== "SQ") return action === "X" ? "nothing" : "value";
    if (action === "X") return "nothing";
    if (action === "Z") {
      this.write(place, tag, "SQ", Buffer.alloc(0));
      return "nothing";
    }
    // Without its representation, a sequence may be nothing but its name.
    const readable = vr === undefined || vr === "SQ" || (vr === "UN" && !this.whole.bigEndian);
    if (!readable) return "nothing";
    const to = this.target(place, tag);
    this.whole.writer.sequence(to, tag);
    return { to, terms: place.terms, replaced: place.replaced || action === "D" };
  }

  item({ to, terms, replaced }: Sequence): Place {
    this.whole.writer.item(to);
    return { to, terms, creators: new Map(), replaced };
  }

  leave({ to }: Place): void {
    if (to) this.whole.writer.endItem(to);
  }

  leaveSequence({ to }: Sequence): void {
    this.whole.writer.endSequence(to);
  }

  value(place: Place, tag: number, vr: string | undefined, value: Buffer, cut: boolean): void {
    if (cut) throw truncated();
    if (tag === CHARACTER_SET) {
      place.terms = termsOf(value);
    } else if (PIXELS.has(tag)) {
      this.write(place, tag, representationOf(attributeOf(tag)?.vr ?? "OW", vr, true), this.whole.native(value));
    } else if (isPrivateCreator(tag)) {
      this.creator(place, tag, value);
    } else {
      const rule = this.ruleOf(place, tag, vr);
      if (rule) this.apply(rule, place, tag, vr, value);
    }
  }

  fragments(place: Place, tag: number, fragments: readonly Buffer[], cut: boolean): void {
    if (cut) throw truncated();
    this.whole.writer.fragments(this.target(place, tag), tag, this.whole.encapsulated(fragments));
  }

  private creator(place: Place, tag: number, value: Buffer): void {
    const name = value.toString("latin1").replace(/[ \0]+$/, "");
    if (!hasSafeElements(name)) return;
    place.creators.set(tag, name);
    this.write(place, tag, "LO", Buffer.from(name));
  }

  /** Undefined where an element is taken out whatever it holds. */
  private ruleOf(place: Place, tag: number, vr: string | undefined): Rule | undefined {
    if (isPrivate(tag)) {
      const safe = safePrivateVr(tag, place.creators.get(creatorTag(tag)) ?? "");
      if (safe === undefined) return undefined;
      return { vr: safe, action: "C", attribute: { vr: safe, basic: "X", options: "" }, type: undefined };
    }
    const attribute = attributeOf(tag);
    if (!attribute) return undefined;
    const type = place.to === undefined ? typeOf(tag, this.whole.sopClass) : undefined;
    const listed = attribute.basic === undefined ? "C" : actionOf(attribute, type, this.whole.options);
    const action = place.replaced && listed !== "X" && listed !== "U" ? "D" : listed;
    return { vr: representationOf(attribute.vr, vr, PICTURE_ELEMENTS.kept.has(tag)), action, attribute, type };
  }

  private apply(rule: Rule, place: Place, tag: number, fileVr: string | undefined, value: Buffer): void {
    const { vr, attribute, type } = rule;
    const after = this.valueAfter(rule, place, tag, fileVr, value);
    if (after !== undefined) {
      if (tag === INSTANCE && place.to === undefined) this.instance = after.toString();
      this.write(place, tag, vr, after);
      return;
    }
    const { action } = rule;
    const instead = action === "Z" || action === "D" ? action : actionWithout(attribute, type);
    if (instead === "Z") this.write(place, tag, vr, Buffer.alloc(0));
    if (instead === "D") {
      const uid = vr === "UI" ? this.whole.names.uid(value.toString("latin1")) : undefined;
      this.write(place, tag, vr, uid === undefined ? dummyOf(vr) : Buffer.from(uid));
    }
  }

  /** Undefined where nothing of the value may stay. */
  private valueAfter(
    { vr, action, attribute }: Rule,
    place: Place,
    tag: number,
    fileVr: string | undefined,
    value: Buffer,
  ): Buffer | undefined {
    const { names, bigEndian } = this.whole;
    if (tag === PATIENT_ID && place.to === undefined && names.patient !== undefined) return Buffer.from(names.patient);
    if (tag === ACCESSION && action !== "X") {
      const [accession = ""] = decodeText(value, place.terms).split("\\");
      return /[^\s\0]/.test(accession) ? Buffer.from(names.accession(accession)) : undefined;
    }
    if (action === "Z" || action === "D") {
      // Which class something is of is not to be made up.
      const standard = vr === "UI" && isStandardUid(value.toString("latin1").replace(/[ \0]+$/, ""));
      return standard && action === "D" ? value : undefined;
    }
    const dictionary = attribute.vr;
    if (TEXTUAL.has(dictionary)) {
      if (fileVr !== undefined && fileVr !== "UN" && !TEXTUAL.has(fileVr)) return undefined;
      const after = textAfter(
        { tag, vr: dictionary, listed: attribute.basic !== undefined, value, terms: place.terms },
        action,
        this.whole,
      );
      if (after === undefined) return undefined;
      const bytes = Buffer.from(after);
      this.beyondAscii ||= bytes.length !== after.length;
      return bytes;
    }
    if (PICTURE_ELEMENTS.kept.has(tag) && (fileVr === undefined || isNumeric(fileVr))) return value;
    const bytes = NUMBER_BYTES[vr];
    const asSaid = fileVr === undefined || fileVr === vr || (fileVr === "UN" && !bigEndian);
    return asSaid && bytes !== undefined && value.length % bytes === 0 ? value : undefined;
  }

  private write(place: Place, tag: number, vr: string, value: Buffer): void {
    this.whole.writer.element(this.target(place, tag), tag, vr, value);
  }

  private target({ to }: Place, tag: number): Chunks {
    if (to) return to;
    const own = new Chunks();
    this.elements.set(tag, own);
    return own;
  }
}

const isNumeric = (vr: string) => (LONG.has(vr) || SHORT.has(vr)) && !TEXTUAL.has(vr);

/**
 * The representation that an attribute is written with: the file's where the dictionary has it among others.
 * @param asItIs whether any that the file has is kept
 */
function representationOf(dictionary: string, file: string | undefined, asItIs: boolean): string {
  const possible = dictionary.split("/");
  if (file !== undefined && (possible.includes(file) || (asItIs && isNumeric(file)))) return file;
  return dictionary === "OB/OW" || dictionary === "US/OW" ? "OW" : (possible[0] as string);
}
