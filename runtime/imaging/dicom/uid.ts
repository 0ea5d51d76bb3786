/** Characters of a UID: PS3.5, 9.1. */
const LONGEST = 64;

/** PS3.5, 9.1: numbers with dots between them. Zeros in front of a number are forgiven, as others do. */
export const isUid = (text: string): boolean => text.length <= LONGEST && /^[0-9]+(\.[0-9]+)*$/.test(text);

/**
 * The text of a UID's value. At its end stand zero bytes, which make its length even; who fills with blanks, as old
 * devices do, means the same UID. What stands within stays: two that differ in it are two.
 */
export const uidText = (value: Buffer): string => value.toString("latin1").replace(/^ +|[\0 ]+$/g, "");

/** Whether a value is written as PS3.5, 6.2, has it: one UID, filled up with zero bytes at most. */
export const isWellFormedUid = (value: Buffer): boolean => isUid(value.toString("latin1").replace(/\0+$/, ""));
