import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Destination, GatewayLimits, PixelTextChoice, ResultsOptions, Tls } from "../../gateway";
import { ConfigurationError } from "../../platform/config";
import { LOOPBACK, portProblem } from "../../platform/port";
import { bucketUri, EXIT, portNumber, wholeNumber } from "../command-line";

interface GatewayFlags {
  readonly aet: string;
  readonly port: number;
  readonly host: string;
  readonly bucket?: string;
  readonly out?: string;
  readonly spool?: string;
  readonly allowAet: readonly string[];
  readonly allowAddress: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly burnedInText: PixelTextChoice;
  readonly maxSize?: number;
  readonly maxAssociations?: number;
  readonly maxAssociationsPerAddress?: number;
  readonly idleSeconds?: number;
  readonly reserve?: number;
  readonly results?: string;
  readonly resultsTo: readonly string[];
  readonly resultsCert?: string;
  readonly resultsKey?: string;
  readonly resultsCa?: string;
  readonly resultsUnfit?: true;
  readonly resultsSeconds?: number;
  readonly resultsAfterHours?: number;
}

const MIB = 2 ** 20;
/** PS3.5, 6.2: 16 characters at most, no backslash, no control characters, and not only blanks. */
const TITLE = /^(?=.*[^ ])[ -[\]-~]{1,16}$/;
/** Registered for DICOM; 104 needs the rights of root. */
const DICOM_PORT = 11112;

/** `gateway --aet NAME --port N (--bucket gs://BUCKET --spool DIR | --out DIR)` */
export function gatewayCommand(): Command {
  return new Command("gateway")
    .description("take MR images by C-STORE in the hospital, de-identify them there, and send them to landing")
    .requiredOption("--aet <title>", "application entity title that senders call it by", title)
    .option("--port <n>", "port to listen on; 0: a free one", portNumber, DICOM_PORT)
    .option("--host <address>", "address to listen on", LOOPBACK)
    .option("--bucket <uri>", "landing bucket, gs://BUCKET", bucketUri)
    .option("--out <dir>", "workspace to land in, instead of a bucket")
    .option("--spool <dir>", "where instances wait and the mapping lies, on a disk of the hospital (OUT/gateway)")
    .option("--allow-aet <title>", "calling title that may send; repeat it for more", list(title), [])
    .option("--allow-address <cidr>", "address or range that may connect beside this machine; repeat it", list(), [])
    .option("--tls-cert <file>", "certificate (PEM): senders have to use TLS then")
    .option("--tls-key <file>", "its key (PEM)")
    .option("--tls-ca <file>", "who signs senders' certificates (PEM); without it they need none")
    .addOption(
      new Option(
        "--burned-in-text <what>",
        "text in pixels: refuse what says so, look for it too, or send it to an ingest that paints it over",
      )
        .choices(["refuse", "look", "send"] satisfies PixelTextChoice[])
        .default("refuse"),
    )
    .option("--max-size <mib>", "largest instance, MiB (256)", wholeNumber(1))
    .option("--max-associations <n>", "associations at the same time (16)", wholeNumber(1))
    .option("--max-associations-per-address <n>", "of them, of one address (8)", wholeNumber(1))
    .option("--idle-seconds <n>", "seconds after which a silent sender is sent away (60)", wholeNumber(1))
    .option("--reserve <mib>", "room that stays free on the disk of the spool, MiB (512)", wholeNumber(1))
    .option("--results <uri>", "bucket of reports, gs://BUCKET, where answers of studies lie (OUT/reports)", bucketUri)
    .option(
      "--results-to <uri>",
      "hand answers on, with the hospital's identifiers: dicom://TITLE@HOST:PORT, stow+https://HOST/.../studies (either with #sc: the overlay), fhir+https://HOST/BASE, mllp://HOST:PORT; repeat it",
      list(),
      [],
    )
    .option("--results-cert <file>", "own certificate (PEM) where those ask for one")
    .option("--results-key <file>", "its key (PEM)")
    .option("--results-ca <file>", "who signed the certificates of those (PEM)")
    .option("--results-unfit", "also answers of models that are not fit for use; they say so")
    .option(
      "--results-seconds <n>",
      "seconds between two looks for answers of what has just landed (60)",
      wholeNumber(1),
    )
    .option(
      "--results-after-hours <n>",
      "hours after which a study is handed on although slices of it are not answered (24)",
      wholeNumber(1),
    )
    .action(runGateway);
}

async function runGateway(flags: GatewayFlags): Promise<void> {
  const { DEFAULT_GATEWAY_LIMITS, startGateway } = await import("../../gateway/index.js");
  const { createLogger } = await import("../../platform/logging.js");
  const { openStore } = await import("../../platform/stores/index.js");
  const { problems, tls, key, folder, landing, results } = await settingsOf(flags);
  if (problems.length > 0) throw new ConfigurationError("The gateway", problems);
  const given: Partial<GatewayLimits> = {
    ...(flags.maxSize === undefined ? {} : { maxBytes: flags.maxSize * MIB }),
    ...(flags.reserve === undefined ? {} : { reserveBytes: flags.reserve * MIB }),
    ...(flags.maxAssociations === undefined ? {} : { associations: flags.maxAssociations }),
    ...(flags.maxAssociationsPerAddress === undefined ? {} : { associationsOfOne: flags.maxAssociationsPerAddress }),
    ...(flags.idleSeconds === undefined ? {} : { idleSeconds: flags.idleSeconds }),
  };
  const { aet, host, port } = flags;
  const gateway = await startGateway({
    aet,
    host,
    port,
    tls,
    callers: flags.allowAet,
    addresses: flags.allowAddress,
    folder,
    store: await openStore(landing),
    key,
    pixelText: flags.burnedInText,
    results: results && { ...results.options, reports: await openStore(results.reports) },
    log: createLogger("gateway"),
    limits: { ...DEFAULT_GATEWAY_LIMITS, ...given },
  }).catch((error: unknown) => {
    throw portProblem(error, port) ?? error;
  });
  process.stdout.write(`${aet} listens on ${host}:${gateway.port}${tls ? " (TLS)" : ""} (Ctrl-C stops it)\n`);
  const stop = () => {
    void gateway.close().then(() => process.exit(EXIT.done));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

/** All that the command needs beside its limits, and all that is wrong with it. */
async function settingsOf(flags: GatewayFlags) {
  const { AddressList } = await import("../../gateway/index.js");
  const { LOCAL_PSEUDONYM_KEY } = await import("../../intake/index.js");
  const { bucket, out, spool, host, allowAet, allowAddress } = flags;
  const problems: string[] = [];
  if ((bucket === undefined) === (out === undefined)) problems.push("Give either --bucket gs://BUCKET or --out DIR.");
  if (bucket !== undefined && spool === undefined)
    problems.push("--spool is missing: name a folder on a disk of the hospital; what senders sent waits there.");
  const key = process.env.PSEUDONYM_KEY ?? (bucket === undefined ? LOCAL_PSEUDONYM_KEY : "");
  if (key === "")
    problems.push("PSEUDONYM_KEY is not set. Set it to the key that ingest has: gcp-kms://... or local:SECRET.");
  try {
    const { reachesOut } = new AddressList(allowAddress);
    const listensOutside = !new AddressList([]).allows(host);
    if (reachesOut && !listensOutside)
      problems.push(`--allow-address lets other machines in, and none reaches ${host}: give --host 0.0.0.0.`);
    if (!reachesOut && listensOutside)
      problems.push(`--host ${host} is open to other machines, and none may connect: list them by --allow-address.`);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.push(`--allow-address ${error.message}`);
  }
  if (allowAddress.length > 0 && allowAet.length === 0)
    problems.push("--allow-aet is missing: other machines may send under the titles that it lists alone.");
  return {
    problems,
    tls: tlsOf(flags, problems),
    key,
    folder: resolve(spool ?? join(out ?? "", "gateway")),
    landing: bucket ?? resolve(out ?? "", "landing"),
    results: await resultsOf(flags, problems),
  };
}

/** Where answers come from and go to; undefined where none are fetched. */
async function resultsOf(
  flags: GatewayFlags,
  problems: string[],
): Promise<{ readonly options: Omit<ResultsOptions, "reports">; readonly reports: string } | undefined> {
  const { destinationOf } = await import("../../gateway/index.js");
  const { aet, bucket, out, results, resultsTo, resultsCert, resultsKey, resultsCa } = flags;
  if (resultsTo.length === 0) {
    if (results !== undefined) problems.push("--results-to is missing: say where answers are handed on to.");
    return undefined;
  }
  if (bucket !== undefined && results === undefined)
    problems.push("--results is missing: name the bucket of reports, where answers of studies lie.");
  const file = (option: string, path: string | undefined) => readPem(option, path, problems);
  const [cert, key] = [file("--results-cert", resultsCert), file("--results-key", resultsKey)];
  const ca = file("--results-ca", resultsCa);
  if ((resultsCert === undefined) !== (resultsKey === undefined))
    problems.push("--results-cert and --results-key go together.");
  const tls = { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }) };
  const destinations: Destination[] = [];
  for (const uri of new Set(resultsTo))
    try {
      destinations.push(destinationOf(uri, { aet, tls }));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push(`--results-to ${error.message}`);
    }
  return {
    options: {
      destinations,
      unfit: flags.resultsUnfit ?? false,
      ...(flags.resultsSeconds === undefined ? {} : { lookSeconds: flags.resultsSeconds }),
      ...(flags.resultsAfterHours === undefined ? {} : { incompleteHours: flags.resultsAfterHours }),
    },
    reports: results ?? resolve(out ?? "", "reports"),
  };
}

function tlsOf({ tlsCert, tlsKey, tlsCa }: GatewayFlags, problems: string[]): Tls | undefined {
  const read = (option: string, path: string | undefined) => readPem(option, path, problems);
  const [cert, key, ca] = [read("--tls-cert", tlsCert), read("--tls-key", tlsKey), read("--tls-ca", tlsCa)];
  if ((tlsCert === undefined) !== (tlsKey === undefined)) problems.push("--tls-cert and --tls-key go together.");
  if (tlsCa !== undefined && tlsCert === undefined) problems.push("--tls-ca needs --tls-cert and --tls-key.");
  return cert && key ? { cert, key, ca } : undefined;
}

function readPem(option: string, path: string | undefined, problems: string[]): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    problems.push(`${option} ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
    return undefined;
  }
}

function title(text: string): string {
  if (!TITLE.test(text))
    throw new InvalidArgumentError(
      `"${text}" is no application entity title: 1 to 16 characters of ASCII, no backslash.`,
    );
  return text.trim();
}

/** Collects an option that is given several times. */
function list(parse: (text: string) => string = (text) => text): (text: string, before: string[]) => string[] {
  return (text, before) => [...before, parse(text)];
}
