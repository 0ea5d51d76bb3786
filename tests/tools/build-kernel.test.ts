import { readFileSync } from "node:fs";
import { GENERATED, kernelModule } from "../../tools/build-kernel";

test("the machine code of the search for near-duplicates is made of its text: npm run build:kernel", async () => {
  const code = (text: string) => text.replaceAll(/\s/g, "");
  expect(code(readFileSync(GENERATED, "utf8"))).toBe(code(await kernelModule()));
});
