import * as tf from "@tensorflow/tfjs-core";
import { useBackend } from "../../../runtime/tensorflow";

/** What the environment said when the build for GPUs was loaded. */
let devices: string | undefined;

// The training image has the build for GPUs alone.
jest.mock(
  "@tensorflow/tfjs-node",
  () => {
    throw new Error("Cannot find module");
  },
  { virtual: true },
);
jest.mock(
  "@tensorflow/tfjs-node-gpu",
  () => {
    devices = process.env.CUDA_VISIBLE_DEVICES;
    class OnCpu extends tf.KernelBackend {
      readonly isUsingGpuDevice = false;
      override numDataIds(): number {
        return 0;
      }
      override dispose(): void {}
    }
    tf.registerBackend("tensorflow", () => new OnCpu());
    tf.registerKernel({ kernelName: "Sum", backendName: "tensorflow", kernelFunc: () => [] });
    return {};
  },
  { virtual: true },
);

const before = process.env.CUDA_VISIBLE_DEVICES;
beforeAll(() => {
  delete process.env.CUDA_VISIBLE_DEVICES;
});
afterAll(() => {
  if (before === undefined) delete process.env.CUDA_VISIBLE_DEVICES;
  else process.env.CUDA_VISIBLE_DEVICES = before;
});

const kernels = () => tf.getKernelsForBackend("tensorflow").map(({ kernelName }) => kernelName);

test("the build for GPUs never stands for a GPU", async () => {
  await expect(useBackend("tfjs-node-gpu")).rejects.toThrow("tfjs-node-gpu: it sees no GPU");
  expect(devices).toBeUndefined();
  expect(kernels()).toEqual([]);
});

test("asked for the CPU it computes there, with its kernels, and is shown no GPU", async () => {
  await expect(useBackend("tfjs-node")).resolves.toBe("tfjs-node");
  expect(process.env.CUDA_VISIBLE_DEVICES).toBe("-1");
  expect(kernels()).toEqual(["Sum"]);
});

test("it is what is left where nothing else is there", async () => {
  await expect(useBackend()).resolves.toBe("tfjs-node");
  expect(kernels()).toEqual(["Sum"]);
});
