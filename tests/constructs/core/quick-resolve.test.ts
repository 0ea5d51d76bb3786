import {
  App,
  DefaultTokenResolver,
  Lazy,
  StringConcat,
  TerraformStack,
  Token,
  Tokenization,
} from "../../../constructs/core/cdktf";
import { withQuickResolve } from "../../../constructs/core/quick-resolve";

const scope = new TerraformStack(new App({ outdir: "dist/quick-resolve" }), "stack");
const lazy = (value: string) => Lazy.stringValue({ produce: () => value });

test.each<[string, unknown]>([
  [
    "words, numbers and nothing",
    { a: "x", b: 1.5, c: true, d: null, e: undefined, f: [], g: {}, h: [undefined, 1, undefined] },
  ],
  ["tokens in texts", { a: lazy("x"), b: `a-${lazy("b")}-c`, c: [lazy("d"), "e"] }],
  ["tokens in keys", { [lazy("key")]: lazy("value"), plain: 1 }],
  [
    "tokens of lists",
    { a: Lazy.listValue({ produce: () => ["x", lazy("y")] }), b: Token.asList({ resolve: () => ["z"] } as never) },
  ],
  [
    "tokens of numbers",
    { a: Lazy.numberValue({ produce: () => 7 }), b: `n=${Lazy.numberValue({ produce: () => 8 })}` },
  ],
  ["tokens themselves, and tokens that make tokens", { a: Lazy.anyValue({ produce: () => ({ b: lazy(lazy("c")) }) }) }],
  [
    "what only looks like one",
    { a: ["$", "{google_x.y.id}"].join(""), b: "1e+250", c: "#{x}", d: -1, e: "e+299 of 3" },
  ],
  ["things deep inside", [[[{ a: [{ b: lazy("c"), d: [undefined, { e: undefined }] }] }]]]],
  ["a date", { at: new Date(0) }],
])("gives what cdktf gives: %s", (_name, value) => {
  const options = { scope, preparing: false, resolver: new DefaultTokenResolver(new StringConcat()) };
  const slow = Tokenization.resolve(value, options);
  const quick = withQuickResolve(() => Tokenization.resolve(value, options));
  expect(quick).toEqual(slow);
  expect(JSON.stringify(quick)).toBe(JSON.stringify(slow));
});

test("what stands at two places is worked out once where it is a text, and is no shared object elsewhere", () => {
  let asked = 0;
  const text = Lazy.stringValue({ produce: () => `name ${++asked}` });
  const thing = Token.asString(Lazy.anyValue({ produce: () => ({ labels: {} }) }));
  const options = { scope, preparing: false, resolver: new DefaultTokenResolver(new StringConcat()) };
  const { a, b, c, d } = withQuickResolve(() =>
    Tokenization.resolve({ a: [text, text], b: text, c: thing, d: thing }, options),
  ) as { readonly a: string[]; readonly b: string; readonly c: object; readonly d: object };
  expect([...a, b]).toEqual(["name 1", "name 1", "name 1"]);
  expect(c).toEqual(d);
  expect(c).not.toBe(d);
  // A later synth may find another name.
  expect(withQuickResolve(() => Tokenization.resolve(text, options))).toBe("name 2");
});

test("leaves cdktf as it was, also after an error", () => {
  const { resolve } = Tokenization;
  expect(() =>
    withQuickResolve(() => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(Tokenization.resolve).toBe(resolve);
});
