import { damaged } from "./failures";

/** An element that is kept: its value as it stands in the file, or what lies in it. */
export type Element =
  | { readonly kind: "value"; readonly vr: string | undefined; readonly value: Buffer }
  | { readonly kind: "items"; readonly items: readonly DataSet[] }
  /** Encapsulated pixels: the offset table, then the fragments. */
  | {
      readonly kind: "fragments";
      readonly fragments: readonly Buffer[] /** Whether the file ends within one. */;
      readonly cut: boolean;
    };

/** The elements of a data set or an item that are looked at, by tag (group * 65,536 + element). */
export class DataSet {
  private readonly elements = new Map<number, Element>();

  constructor(readonly bigEndian: boolean) {}

  set(tag: number, element: Element): void {
    this.elements.set(tag, element);
  }

  get(tag: number): Element | undefined {
    return this.elements.get(tag);
  }

  has(tag: number): boolean {
    return this.elements.has(tag);
  }

  bytes(tag: number): Buffer | undefined {
    const element = this.elements.get(tag);
    return element?.kind === "value" ? element.value : undefined;
  }

  /** Values of a text element, without padding; none where it is absent or empty. */
  texts(tag: number): readonly string[] {
    const text = this.bytes(tag)
      ?.subarray(0, MOST_TEXT)
      .toString("latin1")
      .replace(/[\0 ]+$/, "");
    return text ? text.split("\\").map((part) => part.trim()) : [];
  }

  text(tag: number): string | undefined {
    return this.texts(tag)[0] || undefined;
  }

  /** Numbers written as text (DS, IS). @throws {RejectedImage} `damaged` where one is no number */
  decimals(tag: number, name: string): readonly number[] {
    return this.texts(tag).map((text) => {
      const value = text === "" ? Number.NaN : Number(text);
      if (!Number.isFinite(value)) throw damaged(`its ${name} is no number`);
      return value;
    });
  }

  /** 16-bit numbers (US, SS). */
  shorts(tag: number, { signed = false } = {}): readonly number[] {
    const value = this.bytes(tag);
    if (!value) return [];
    return Array.from({ length: Math.min(MOST_SHORTS, value.length >> 1) }, (_, i) =>
      signed
        ? this.bigEndian
          ? value.readInt16BE(2 * i)
          : value.readInt16LE(2 * i)
        : this.bigEndian
          ? value.readUInt16BE(2 * i)
          : value.readUInt16LE(2 * i),
    );
  }

  short(tag: number): number | undefined {
    return this.shorts(tag)[0];
  }

  /** Items of a sequence; none where it is absent. */
  items(tag: number): readonly DataSet[] {
    const element = this.elements.get(tag);
    return element?.kind === "items" ? element.items : [];
  }
}

/** What is read of a text, bytes: the longest that is looked at has six numbers of 16. */
const MOST_TEXT = 1024;
/** Entries of a lookup table: it has 2 to the 16th at most. */
const MOST_SHORTS = 65_536;
