import { BlockList, isIP } from "node:net";

const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/** Addresses that may connect: this machine's own, and those that are listed. */
export class AddressList {
  private readonly list = new BlockList();
  /** Whether another machine may connect. */
  readonly reachesOut: boolean;

  /**
   * @param ranges addresses and ranges in CIDR notation, of IPv4 and IPv6
   * @throws {RangeError} a sentence about the first that is none
   */
  constructor(ranges: readonly string[]) {
    this.list.addSubnet("127.0.0.0", 8, "ipv4");
    this.list.addAddress("::1", "ipv6");
    for (const range of ranges) this.add(range);
    this.reachesOut = ranges.length > 0;
  }

  /** @param address as a socket has it: IPv4 may be written as IPv6 */
  allows(address: string): boolean {
    const bare = address.replace(MAPPED, "").replace(/%.*$/, "");
    const version = isIP(bare);
    return version !== 0 && this.list.check(bare, version === 4 ? "ipv4" : "ipv6");
  }

  private add(range: string): void {
    const [, address = "", prefix] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(range) ?? [];
    const version = isIP(address);
    const most = version === 4 ? 32 : 128;
    const bits = prefix === undefined ? most : Number(prefix);
    if (version === 0 || bits > most)
      throw new RangeError(`"${range}" is no address and no range. Write 10.1.2.3 or 10.1.2.0/24.`);
    this.list.addSubnet(address, bits, version === 4 ? "ipv4" : "ipv6");
  }
}
