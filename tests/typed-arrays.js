/**
 * An addon makes its arrays in the context of the test, where jest.config.js puts the process's own classes of some: by these
 * such an array is none of theirs, and onnxruntime refuses its own results. What it is, it says itself.
 */
for (const TypedArray of [Float32Array, Float64Array])
  Object.defineProperty(TypedArray, Symbol.hasInstance, {
    configurable: true,
    value: (one) => Object.prototype.toString.call(one) === `[object ${TypedArray.name}]`,
  });
