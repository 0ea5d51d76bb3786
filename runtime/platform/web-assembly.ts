/** What is used of WebAssembly: Node has it, and the types of Node tell of types alone. */
interface Constructors {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: Constructors };
const PAGE = 65_536;

/** Hands out addresses in the memory that a kernel is to have, each at a multiple of 16 bytes. */
export class Layout {
  private end = 0;

  /** The address of so many bytes. */
  take(bytes: number): number {
    const at = this.end;
    this.end += 16 * Math.ceil(bytes / 16);
    return at;
  }

  /** Memory for all that was taken. */
  memory(): { readonly buffer: ArrayBuffer } {
    return new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(this.end / PAGE)) });
  }
}

/**
 * Starts a module that `npm run build:kernel` made.
 * @param layout what it imports: its memory, and numbers
 * @returns its functions
 */
export function startKernel<Functions>(code: Uint8Array, layout: object): Functions {
  return new WebAssembly.Instance(new WebAssembly.Module(code), { layout }).exports as Functions;
}
