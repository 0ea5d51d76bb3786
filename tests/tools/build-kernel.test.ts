import { readFileSync } from "node:fs";
import { generatedIn, KERNELS, kernelModule } from "../../tools/build-kernel";

test.each(KERNELS)("the machine code in %s is made of its text: npm run build:kernel", async (folder) => {
  const code = (text: string) => text.replaceAll(/\s/g, "");
  expect(code(readFileSync(generatedIn(folder), "utf8"))).toBe(code(await kernelModule(folder)));
});
