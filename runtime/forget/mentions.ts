/** Finds out whether a text speaks of something that is to go. */
export class Mentions {
  private readonly patterns: readonly RegExp[];

  /**
   * @param hashes in hexadecimal digits, or other names that nothing else can be a part of
   * @param names of objects: `Cancer/a.png` is not meant where `Non-Cancer/a.png` or `Cancer/a.png.bak` stands
   */
  constructor(hashes: Iterable<string>, names: Iterable<string>) {
    const spelt = [...names].flatMap((name) => [
      ...new Set([name, JSON.stringify(name).slice(1, -1), inHtml(name), encodeURI(name)]),
    ]);
    this.patterns = [
      ...alternatives([...hashes], (any) => `(?<![0-9A-Za-z])(?:${any})(?![0-9A-Za-z])`),
      ...alternatives(spelt, (any) => `(?:(?<=landing/)|(?<![\\w./-]))(?:${any})(?![\\w-]|[./]\\w)`),
    ];
  }

  in(text: string): boolean {
    return this.patterns.some((pattern) => pattern.test(text));
  }
}

/** Of one expression: engines have their limits. */
const AT_A_TIME = 500;

function alternatives(words: readonly string[], around: (any: string) => string): RegExp[] {
  const found: RegExp[] = [];
  for (let start = 0; start < words.length; start += AT_A_TIME) {
    const any = words
      .slice(start, start + AT_A_TIME)
      .map((word) => word.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&"))
      .join("|");
    found.push(new RegExp(around(any)));
  }
  return found;
}

const inHtml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
