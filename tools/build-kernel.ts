import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import wabt from "wabt";

/** Folders with a kernel.wat, from the repository's root, where the command runs. */
export const KERNELS = [join("runtime", "dataset", "hamming")];

/** What is made of a folder's kernel. */
export const generatedIn = (folder: string) => join(folder, "kernel.generated.ts");

/** TypeScript that holds the kernel's machine code: a bundle then needs no file beside it. @throws what is wrong in the text */
export async function kernelModule(folder: string): Promise<string> {
  const { parseWat } = await wabt();
  const file = join(folder, "kernel.wat");
  const module = parseWat(file, readFileSync(file, "utf8"));
  try {
    module.validate();
    const code = Buffer.from(module.toBinary({}).buffer).toString("base64");
    const lines = code.match(/.{1,110}/g) ?? [];
    const text = lines.map((line) => `    "${line}",`).join("\n");
    return `// Made of kernel.wat by npm run build:kernel.\n\n/** WebAssembly. */\nexport const KERNEL: Uint8Array = Buffer.from(\n  [\n${text}\n  ].join(""),\n  "base64",\n);\n`;
  } finally {
    module.destroy();
  }
}

async function main(): Promise<void> {
  for (const folder of KERNELS) writeFileSync(generatedIn(folder), await kernelModule(folder));
}

if (require.main === module) void main();
