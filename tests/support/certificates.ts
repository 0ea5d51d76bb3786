import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** Makes certificates for 127.0.0.1, and keys that nothing else knows, in a folder: `NAME.pem` and `NAME-key.pem`. */
export class Certificates {
  constructor(private readonly folder: string) {}

  /** One that signs itself, and may sign others. */
  makeAuthority(name: string): void {
    this.openssl(["req", "-x509", ...newKey(name), "-addext", "subjectAltName=IP:127.0.0.1", "-out", `${name}.pem`]);
  }

  /** One that an authority signs. */
  make(name: string, authority: string): void {
    this.openssl(["req", ...newKey(name), "-out", `${name}.csr`]);
    const signing = ["-CA", `${authority}.pem`, "-CAkey", `${authority}-key.pem`, "-CAcreateserial"];
    this.openssl(["x509", "-req", "-in", `${name}.csr`, ...signing, "-out", `${name}.pem`]);
  }

  /** Where the certificate lies, or, by `NAME-key`, the key. */
  path(name: string): string {
    return join(this.folder, `${name}.pem`);
  }

  /** Comes with the certificates of the system (Debian: ca-certificates depends on it). */
  private openssl(args: readonly string[]): void {
    const { status, stderr, error } = spawnSync("openssl", args, { cwd: this.folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args.join(" ")} failed: ${error?.message ?? stderr}`);
  }
}

const newKey = (name: string) => [
  ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/CN=${name}`],
  ...["-keyout", `${name}-key.pem`],
];
