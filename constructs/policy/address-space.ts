import { isIP } from "node:net";

/** Addresses from the first to the last, as numbers. */
type Interval = readonly [first: bigint, last: bigint];

const BITS = { 4: 32, 6: 128 } as const;
type Version = keyof typeof BITS;

/** What is not reached over the internet. https://www.iana.org/assignments/iana-ipv4-special-registry, ...-ipv6-... */
const NOT_INTERNET: Readonly<Record<Version, readonly string[]>> = {
  4: [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
  ],
  // All but 2000::/3.
  6: ["::/3", "4000::/2", "8000::/1"],
};

/** A part of the internet that nobody means by a list of destinations: as much as one /8, or one /16 of IPv6. */
const HUGE: Readonly<Record<Version, bigint>> = { 4: 1n << 24n, 6: 1n << 112n };

/**
 * How much of the internet ranges (CIDR, or an address alone) cover together. References, whose ranges are not known, count
 * as nothing.
 */
export function shareOfInternet(ranges: readonly string[]): "none" | "some" | "huge" {
  const shares = ([4, 6] as const).map((version) => {
    const inside = intervals(NOT_INTERNET[version], version);
    const covered = size([...intervals(ranges, version), ...inside]) - size(inside);
    return covered >= HUGE[version] ? "huge" : covered > 0n ? "some" : "none";
  });
  return (["huge", "some"] as const).find((share) => shares.includes(share)) ?? "none";
}

/** Whether ranges cover every address of IPv4 together. */
export function coverEverything(ranges: readonly string[]): boolean {
  return size(intervals(ranges, 4)) === 1n << 32n;
}

function intervals(ranges: readonly string[], version: Version): Interval[] {
  return ranges.flatMap((range) => {
    const [address = "", prefix] = range.split("/");
    const bits = BITS[version];
    const length = prefix === undefined ? bits : Number(prefix);
    if (isIP(address) !== version || !(length >= 0 && length <= bits)) return [];
    const host = BigInt(bits - length);
    const first = ((version === 4 ? parseV4(address) : parseV6(address)) >> host) << host;
    return [[first, first + (1n << host) - 1n] as const];
  });
}

const parseV4 = (address: string) => address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);

function parseV6(address: string): bigint {
  // An IPv4 address may stand for the last two groups.
  const plain = address.replace(/%.*$/, "").replace(/\d+\.\d+\.\d+\.\d+$/, (v4) => {
    const number = parseV4(v4);
    return `${(number >> 16n).toString(16)}:${(number & 0xffffn).toString(16)}`;
  });
  const [head = "", tail] = plain.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const before = groups(head);
  const after = groups(tail ?? "");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** How many addresses lie in at least one interval. */
function size(parts: readonly Interval[]): bigint {
  let total = 0n;
  let next = 0n;
  for (const [first, last] of [...parts].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    if (last < next) continue;
    total += last - (first > next ? first : next) + 1n;
    next = last + 1n;
  }
  return total;
}
