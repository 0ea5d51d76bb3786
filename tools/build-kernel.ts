import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import wabt from "wabt";

/** The command runs in the repository's root. */
const FOLDER = join("runtime", "dataset", "hamming");
const SOURCE = join(FOLDER, "kernel.wat");
export const GENERATED = join(FOLDER, "kernel.generated.ts");

/** TypeScript that holds the kernel's machine code: a bundle then needs no file beside it. @throws what is wrong in the text */
export async function kernelModule(file = SOURCE): Promise<string> {
  const { parseWat } = await wabt();
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

if (require.main === module) void kernelModule().then((text) => writeFileSync(GENERATED, text));
