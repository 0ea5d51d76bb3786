/**
 * Inferno: perceptually uniform, black over red to yellow, readable without colour vision. Sixth-degree polynomial fit
 * (Matt Zucker, CC0, https://www.shadertoy.com/view/WlfXRN) of Matplotlib's table; within 4 of 255 of it.
 */
const COEFFICIENTS = [
  [0.0002189403691192265, 0.001651004631001012, -0.01948089843709184],
  [0.1065134194856116, 0.5639564367884091, 3.932712388889277],
  [11.60249308247187, -3.972853965665698, -15.9423941062914],
  [-41.70399613139459, 17.43639888205313, 44.35414519872813],
  [77.162935699427, -33.40235894210092, -81.80730925738993],
  [-71.31942824499214, 32.62606426397723, 73.20951985803202],
  [25.13112622477341, -12.24266895238567, -23.07032500287172],
] as const;

/** 256 x 3 bytes: red, green and blue of each level. */
export const INFERNO = Uint8Array.from({ length: 768 }, (_, i) => {
  const t = Math.floor(i / 3) / 255;
  const channel = (i % 3) as 0 | 1 | 2;
  const value = COEFFICIENTS.reduceRight((sum, coefficients) => sum * t + coefficients[channel], 0);
  return Math.round(255 * Math.min(1, Math.max(0, value)));
});
