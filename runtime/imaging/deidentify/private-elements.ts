/**
 * Private elements that are safe, of MR scanners: PS3.15, table E.3.10-1, without what it lists of other modalities. All are
 * numbers or codes.
 */
const SAFE: readonly (readonly [creator: string, element: number, vr: string])[] = [
  ["SIEMENS MR HEADER", 0x0019_000c, "IS"],
  ["SIEMENS MR HEADER", 0x0019_000d, "CS"],
  ["SIEMENS MR HEADER", 0x0019_000e, "FD"],
  ["SIEMENS MR HEADER", 0x0019_0027, "FD"],
  ["GEMS_SERS_01", 0x0025_0007, "SL"],
  ["GEMS_PARM_01", 0x0043_0039, "IS"],
  ["GEMS_PARM_01", 0x0043_006f, "DS"],
  ["Philips Imaging DD 001", 0x2001_0003, "FL"],
  ["Philips Imaging DD 001", 0x2001_0004, "CS"],
  ["Philips MR Imaging DD 001", 0x2005_000d, "FL"],
  ["Philips MR Imaging DD 001", 0x2005_000e, "FL"],
];

const VR = new Map(SAFE.map(([creator, element, vr]) => [`${creator} ${element}`, vr]));
const CREATORS: ReadonlySet<string> = new Set(SAFE.map(([creator]) => creator));

export const isPrivate = (tag: number) => Math.floor(tag / 0x1_0000) % 2 === 1;

/** Whether it reserves a block of private elements: PS3.5, 7.8.1. */
export const isPrivateCreator = (tag: number) => isPrivate(tag) && (tag & 0xff00) === 0 && (tag & 0xff) >= 0x10;

export const hasSafeElements = (creator: string) => CREATORS.has(creator);

/** The element that reserves the block of a private one. */
export const creatorTag = (tag: number) => tag - (tag & 0xffff) + ((tag >>> 8) & 0xff);

/** Its value representation; undefined where it is not known to be safe. */
export function safePrivateVr(tag: number, creator: string): string | undefined {
  return VR.get(`${creator} ${tag - (tag & 0xff00)}`);
}
