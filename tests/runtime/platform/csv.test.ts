import { join, normalize } from "node:path";
import { parse } from "csv-parse/sync";
import { pathCell, toCsv } from "../../../runtime/platform/csv";

const FORMULAS = [
  "=1+1",
  "+1",
  "-2+3",
  "@SUM(A1)",
  "\t=1",
  "\r=1",
  "\n=1",
  "＝1+1",
  "＋1",
  "－1",
  "＠x",
  "=cmd|' /C calc'!A0",
];

test.each(FORMULAS)("%j is written as a text", (text) => {
  const [[cell = ""] = []] = parse(toCsv([[text, "x"]]), { record_delimiter: "\n" }) as string[][];
  expect(cell).toBe(`'${text}`);
});

test.each(["Cancer/a.png", "", "a=b", "1-2", "näive", "'quoted'", " =1", "100 %"])("%j stays as it is", (text) => {
  expect(parse(toCsv([[text, "x"]]))).toEqual([[text, "x"]]);
});

test.each(["'=1", "''-x", "'"])("taking one apostrophe away gives %j back, whatever it began with", (text) => {
  const [[cell = ""] = []] = parse(toCsv([[text, "x"]])) as string[][];
  expect(/^'+[=+\-@\t\r\n]/.test(cell) ? cell.slice(1) : cell).toBe(text);
});

test("numbers are no texts", () => {
  expect(toCsv([[-0.5, 1e-7, "-0.5"]])).toBe("-0.5,1e-7,'-0.5\n");
});

test.each(["=1.png", "-a/b.png", "@x.png", "+.png"])(
  "the path %j leads to the same file, and is no formula",
  (path) => {
    expect(pathCell(path)).toBe(`./${path}`);
    expect(normalize(join("data", pathCell(path)))).toBe(join("data", path));
    expect(pathCell(`Cancer/${path}`)).toBe(`Cancer/${path}`);
  },
);
