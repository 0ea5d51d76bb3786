/** Within which a hospital may state how frequent Cancer is among its scans: beyond, a model's certainty means nothing. */
export const PREVALENCE = { least: 0.001, most: 0.999 } as const;

/** What a statement of it must be, as the end of a sentence. */
export const PREVALENCE_FORM = `a share from ${PREVALENCE.least} to ${PREVALENCE.most}, such as 0.05`;

/** @returns undefined for what is no share within the bounds, written as a decimal number */
export function parsePrevalence(text: string): number | undefined {
  if (!/^0?\.[0-9]{1,20}$/.test(text)) return undefined;
  const share = Number(text);
  return share >= PREVALENCE.least && share <= PREVALENCE.most ? share : undefined;
}
