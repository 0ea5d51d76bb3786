/** What is head and what is background. */
export const HEAD = {
  /** Mean grey value of a pixel's neighbourhood above which it is head, 0 to 255. */
  level: 31,
  /** Half the side of that neighbourhood, pixels. */
  reach: 4,
} as const;

/** 1 where a grey picture shows head, 0 where it shows background; side x side. */
export function headOf(pixels: Uint8Array, side: number): Uint8Array {
  return Uint8Array.from(windowMeans(pixels, side, HEAD.reach), (mean) => (mean > HEAD.level ? 1 : 0));
}

/** The median of the values at some places; 0 where there is none. Of an even number the upper one in the middle. */
export function medianOf(values: Uint8Array, at: (i: number) => boolean): number {
  const chosen = values.filter((_, i) => at(i)).sort();
  return chosen[Math.floor(chosen.length / 2)] ?? 0;
}

/** Mean of the (2 reach + 1) squared window around each pixel; outside the image it is zero. */
export function windowMeans(values: Uint8Array | Float32Array, side: number, reach: number): Float32Array {
  const stride = side + 1;
  const integral = new Float64Array(stride * stride);
  for (let y = 0; y < side; y++) {
    let sum = 0;
    for (let x = 0; x < side; x++) {
      sum += values[y * side + x] as number;
      integral[(y + 1) * stride + x + 1] = (integral[y * stride + x + 1] as number) + sum;
    }
  }
  const means = new Float32Array(values.length);
  for (let y = 0; y < side; y++) {
    const [top, bottom] = [Math.max(0, y - reach) * stride, Math.min(side, y + reach + 1) * stride];
    for (let x = 0; x < side; x++) {
      const [left, right] = [Math.max(0, x - reach), Math.min(side, x + reach + 1)];
      const sum =
        (integral[bottom + right] as number) -
        (integral[top + right] as number) -
        (integral[bottom + left] as number) +
        (integral[top + left] as number);
      means[y * side + x] = sum / (2 * reach + 1) ** 2;
    }
  }
  return means;
}
