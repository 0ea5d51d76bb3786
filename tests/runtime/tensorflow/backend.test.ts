import * as tf from "@tensorflow/tfjs-core";
import { useBackend } from "../../../runtime/tensorflow";

let usesGpu = false;

// The package as far as the choice of a backend sees it: loading it registers native TensorFlow.
class NativeTensorFlow extends tf.KernelBackend {
  get isUsingGpuDevice(): boolean {
    return usesGpu;
  }
  override numDataIds(): number {
    return 0;
  }
}
jest.mock(
  "@tensorflow/tfjs-node-gpu",
  () => {
    tf.registerBackend("tensorflow", () => new NativeTensorFlow());
    return {};
  },
  { virtual: true },
);

test("native TensorFlow that goes on with the CPU where a GPU was asked for is refused", async () => {
  await expect(useBackend("tfjs-node-gpu")).rejects.toThrow("tfjs-node-gpu: it sees no GPU");
});

test("with a GPU it is taken", async () => {
  usesGpu = true;
  await expect(useBackend("tfjs-node-gpu")).resolves.toBe("tfjs-node-gpu");
});
