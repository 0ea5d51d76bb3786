import { dirname, join } from "node:path";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { ConfigurationError } from "../platform/config";
import { BACKENDS, type Backend } from "./backend-names";
import { giveBackUtilFunctions } from "./util-functions";

/** Whether the backend runs a batch on all cores by itself. WASM has one thread: the trainer splits the batch. */
export const usesAllCores = (backend: Backend): boolean => backend !== "wasm";

/**
 * Makes the best TensorFlow.js backend present the current one: native TensorFlow on a GPU, native TensorFlow on the
 * CPU, WebAssembly.
 *
 * @param preferred try this one alone
 * @throws {ConfigurationError} if the preferred one cannot be used here
 */
export async function useBackend(preferred?: Backend): Promise<Backend> {
  const problems: string[] = [];
  for (const backend of preferred ? [preferred] : BACKENDS) {
    const registered = nativeKernels();
    const problem = backend === "wasm" ? await useWasm() : await useNative(backend);
    if (problem === undefined) return backend;
    problems.push(`${backend}: ${problem}`);
    if (backend !== "wasm") forgetNativeKernels(backend, registered);
  }
  throw new ConfigurationError("The TensorFlow.js backend", problems);
}

async function useWasm(): Promise<string | undefined> {
  const folder = join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "wasm-out");
  setWasmPaths(`${folder}/`);
  return (await tf.setBackend("wasm")) ? undefined : `its binary in ${folder} does not start on this processor`;
}

type Native = Exclude<Backend, "wasm">;

async function useNative(backend: Native): Promise<string | undefined> {
  // Warnings and errors only, unless the user wants more. The library logs one line ("oneDNN custom operations are on")
  // before it reads this.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "1";
  giveBackUtilFunctions();
  let problem = load(backend);
  if (problem !== undefined && backend === "tfjs-node") {
    // The build for GPUs computes on the CPU too, where it is told to: it is the only one in the training image.
    process.env.CUDA_VISIBLE_DEVICES = "-1";
    if (load("tfjs-node-gpu") === undefined) problem = undefined;
  }
  if (problem !== undefined) return problem;
  if (!(await tf.setBackend("tensorflow"))) return "native TensorFlow does not start";
  // The GPU build of TensorFlow goes on with the CPU where it finds no GPU, driver or CUDA library, and only logs it.
  const { isUsingGpuDevice } = tf.backend() as { isUsingGpuDevice?: boolean };
  if (backend === "tfjs-node-gpu" && !isUsingGpuDevice) return "it sees no GPU";
  return undefined;
}

/** @returns why a package cannot be used */
function load(name: Native): string | undefined {
  try {
    // Optional dependencies: absent where their native library could not be installed.
    require(`@tensorflow/${name}`);
  } catch (error) {
    return `@tensorflow/${name} is not installed here or does not load (${firstLine(error)})`;
  }
  // One that was loaded before does not register its kernels again.
  for (const kernel of forgotten.get(name) ?? [])
    if (!tf.getKernel(kernel.kernelName, "tensorflow")) tf.registerKernel(kernel);
  return undefined;
}

const nativeKernels = () => new Set(tf.getKernelsForBackend("tensorflow").map(({ kernelName }) => kernelName));

const forgotten = new Map<Native, readonly tf.KernelConfig[]>();

/**
 * Both native packages register the same kernels: the second would warn about each that the first left behind. What is
 * registered already stays.
 */
function forgetNativeKernels(name: Native, registered: ReadonlySet<string>): void {
  const added = tf.getKernelsForBackend("tensorflow").filter(({ kernelName }) => !registered.has(kernelName));
  if (added.length > 0) forgotten.set(name, added);
  for (const { kernelName } of added) tf.unregisterKernel(kernelName, "tensorflow");
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
