import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigurationError } from "../../runtime/platform/config";
import type { Hospital } from "../../stacks/config";
import { type DeliveryPurpose, deliveryAccount, deliveryProvider } from "../../stacks/delivery-names";
import type { Platform } from "../../stacks/platform-config";

/**
 * Credentials of each hospital's own identity, for Terraform and gcloud: a file that says where this job's token is had
 * and what it is exchanged for. There is no key in it. The files are gone when the process ends.
 * https://google.aip.dev/auth/4117
 *
 * @returns the variables that name them, by hospital
 * @throws {ConfigurationError} outside of a job that may ask GitHub for a token
 */
export function githubCredentials(
  hospitals: readonly Pick<Hospital, "name" | "project">[],
  platform: Platform,
  purpose: DeliveryPurpose,
  folder: string,
  variables: NodeJS.ProcessEnv = process.env,
): (hospital: string) => NodeJS.ProcessEnv {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = variables;
  if (!url || !token)
    throw new ConfigurationError("The command line", [
      '--identity is for a job of GitHub Actions that may ask for a token ("permissions: id-token: write"); elsewhere your own credentials are used without it.',
    ]);
  const provider = deliveryProvider(platform);
  const asked = new URL(url);
  asked.searchParams.set("audience", `https://iam.googleapis.com/${provider}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const files = new Map(
    hospitals.map((hospital) => {
      const file = resolve(folder, `${hospital.name}.json`);
      const account = deliveryAccount(hospital, purpose);
      const credentials = {
        type: "external_account",
        audience: `//iam.googleapis.com/${provider}`,
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        token_url: "https://sts.googleapis.com/v1/token",
        service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${account}:generateAccessToken`,
        credential_source: {
          url: asked.href,
          headers: { Authorization: `Bearer ${token}` },
          format: { type: "json", subject_token_field_name: "value" },
        },
      };
      writeFileSync(file, JSON.stringify(credentials), { mode: 0o600 });
      return [hospital.name, file];
    }),
  );
  return (hospital) => {
    const file = files.get(hospital);
    if (file === undefined) throw new Error(`There are no credentials for ${hospital}.`);
    return { GOOGLE_APPLICATION_CREDENTIALS: file, CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE: file };
  };
}
