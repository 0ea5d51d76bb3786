export interface IpRange {
  /** The address as a number of 32 bits. */
  readonly first: number;
  readonly bits: number;
}

/** An IPv4 range in CIDR form whose address is its first, such as 10.10.0.0/20; undefined for anything else. */
export function parseRange(text: string): IpRange | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  // With a zero before it a number is octal to some readers, and Terraform takes none.
  if (!match || match.slice(1).some((part) => /^0\d/.test(part))) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = match.slice(1).map(Number);
  if ([a, b, c, d].some((part) => part > 255) || bits > 32) return undefined;
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  return first % 2 ** (32 - bits) === 0 ? { first, bits } : undefined;
}

/** Whether two ranges have an address in common: one lies in the other then. Nothing overlaps what is no range. */
export function overlaps(one: IpRange | undefined, other: IpRange | undefined): boolean {
  if (!one || !other) return false;
  const size = 2 ** (32 - Math.min(one.bits, other.bits));
  return Math.floor(one.first / size) === Math.floor(other.first / size);
}
