import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { DISCLAIMER } from "../../intake";
import { ConfigurationError, requireAll } from "../../platform/config";
import { occupying } from "../../platform/occupancy";
import type { EndpointSettings } from "../../serve";
import { EXIT, interruptible, requireWorkspace } from "../command-line";
import { out } from "../options";

interface DeliverOptions {
  readonly out: string;
  readonly to?: string;
  readonly format: EndpointSettings["format"];
  readonly signingKey: string;
  readonly publicKeys?: true;
  readonly tokenUrl?: string;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly scope?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly unfit?: true;
  readonly again?: true;
  readonly json?: true;
}

/** `deliver --out DIR --to URL --signing-key FILE` */
export function deliverCommand(): Command {
  return new Command("deliver")
    .description(
      "deliver what serve answered to an endpoint of the hospital: FHIR or STOW-RS, signed, each answer once",
    )
    .addOption(out())
    .option("--to <url>", "the endpoint: the base of a FHIR server, or .../studies of an archive")
    .addOption(new Option("--format <format>", "what is delivered").choices(["fhir", "sr", "sc"]).default("fhir"))
    .requiredOption("--signing-key <file>", "private key (PEM, P-256) that deliveries are signed with")
    .option("--public-keys", "print what receivers check signatures with, as a JWK set, and do nothing else")
    .option("--token-url <url>", "OAuth 2.0: where the client's token is had")
    .option("--client-id <id>", "of the client")
    .option("--client-secret-file <file>", "a file with the client's secret alone")
    .option("--scope <scope>", "that the token is asked for")
    .option("--cert <file>", "mutual TLS: own certificate (PEM)")
    .option("--key <file>", "its private key (PEM)")
    .option("--ca <file>", "who signed the endpoint's certificate (PEM)")
    .option("--unfit", "also answers of models that are not fit for use; they say so")
    .option("--again", "also what was given up")
    .option("--json", "print what was done as JSON")
    .action(deliver);
}

async function deliver(options: DeliverOptions): Promise<void> {
  const { deliverAnswers, Endpoint, Signer } = await import("../../serve/index.js");
  if (options.publicKeys) {
    const { publicKeys } = await Signer.open(options.signingKey);
    process.stdout.write(`${JSON.stringify(publicKeys, null, 2)}\n`);
    return;
  }
  let signer: EndpointSettings["signer"] | undefined;
  let settings: Omit<EndpointSettings, "signer"> | undefined;
  await requireAll(
    async () => {
      signer = await Signer.open(options.signingKey);
    },
    () => {
      settings = endpointSettings(options);
    },
    () => requireWorkspace(options.out),
  );
  if (!signer || !settings) throw new Error("What was checked is not there.");
  const endpoint = new Endpoint({ ...settings, signer });
  const { openWorkspace } = await import("../../platform/workspace.js");
  const { createLogger } = await import("../../platform/logging.js");
  const { createProgress } = await import("../../platform/progress.js");
  const workspace = await openWorkspace(options.out);
  const interruption = interruptible();
  try {
    // Two that look at once what was not delivered yet would both deliver it.
    const summary = await occupying(workspace.directory, "deliver", "once", () =>
      deliverAnswers({
        reports: workspace.buckets.reports,
        warehouse: workspace.warehouse,
        endpoint,
        log: createLogger("deliver"),
        unfit: options.unfit ?? false,
        again: options.again ?? false,
        progress: createProgress("deliver"),
        signal: interruption.signal,
      }),
    );
    const { delivered, waiting, dead, unfit, noStudy, problems } = summary;
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    process.stdout.write(
      options.json
        ? `${JSON.stringify(summary)}\n`
        : `${delivered} delivered, ${waiting} waiting for the next run, ${dead} given up (--again tries them once more), ${unfit} of models that are not fit for use (--unfit sends them), ${noStudy} without a study.\n${DISCLAIMER}\n`,
    );
    if (waiting + dead > 0) process.exitCode = EXIT.failed;
  } finally {
    interruption.release();
    await workspace.close();
  }
}

/** @throws {ConfigurationError} with everything that is wrong */
function endpointSettings(options: DeliverOptions): Omit<EndpointSettings, "signer"> {
  const problems: string[] = [];
  const url = urlOf("--to", options.to, problems);
  if (options.to === undefined) problems.push("--to is missing: the URL that answers are delivered to.");
  const given = [options.tokenUrl, options.clientId, options.clientSecretFile].filter((it) => it !== undefined).length;
  if (given > 0 && given < 3) problems.push("--token-url, --client-id and --client-secret-file belong together.");
  if ((options.cert === undefined) !== (options.key === undefined)) problems.push("--cert and --key belong together.");
  const tokenUrl = urlOf("--token-url", options.tokenUrl, problems);
  const secret = fileOf("--client-secret-file", options.clientSecretFile, problems)?.toString("utf8").trim();
  const [cert, key, ca] = (["cert", "key", "ca"] as const).map((name) => fileOf(`--${name}`, options[name], problems));
  if (problems.length > 0 || !url) throw new ConfigurationError("The endpoint", problems);
  return {
    url,
    format: options.format,
    client:
      tokenUrl && options.clientId !== undefined && secret !== undefined
        ? { tokenUrl, id: options.clientId, secret, scope: options.scope }
        : undefined,
    tls: { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }) },
  };
}

/** Answers are of patients: they, and secrets, go in the open to this machine alone. */
function urlOf(option: string, text: string | undefined, problems: string[]): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = url !== undefined && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  if (url?.protocol === "https:" || (url?.protocol === "http:" && local)) {
    if (url.username === "" && url.password === "") return url;
    problems.push(`${option} holds a password, which does not belong into a URL.`);
  } else problems.push(`${option} ${text} is no https URL.`);
  return undefined;
}

function fileOf(option: string, file: string | undefined, problems: string[]): Buffer | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    problems.push(`${option} ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
    return undefined;
  }
}
