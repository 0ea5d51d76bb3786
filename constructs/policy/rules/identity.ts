import { resourceRule } from "../rule";
import { blocks, findText, isGiven, strings } from "../stack-document";

const PUBLIC = new Set(["allUsers", "allAuthenticatedUsers"]);
const WIDE_IAM = /^google_(?:project|folder|organization)_iam_(?:member|binding)$/;
/** Accounts that Google makes by itself and gives wide rights. */
const DEFAULT_ACCOUNT =
  /-compute@developer\.gserviceaccount\.com|@appspot\.gserviceaccount\.com|@cloudservices\.gserviceaccount\.com/;

/** Roles with which one acts as any service account of the project. https://cloud.google.com/iam/docs/roles-permissions/iam */
const IMPERSONATION = new Set([
  "roles/iam.serviceAccountAdmin",
  "roles/iam.serviceAccountKeyAdmin",
  "roles/iam.serviceAccountOpenIdTokenCreator",
  "roles/iam.serviceAccountTokenCreator",
  "roles/iam.serviceAccountUser",
  "roles/iam.workloadIdentityUser",
]);

const roles = (config: Readonly<Record<string, unknown>>) => strings(config.role);

export const identityRules = [
  resourceRule(
    {
      id: "no-public-member",
      severity: "critical",
      title: "Nothing is granted to everybody.",
      checkov: [
        "CKV_GCP_15",
        "CKV_GCP_28",
        "CKV_GCP_98",
        "CKV_GCP_99",
        "CKV_GCP_100",
        "CKV_GCP_101",
        "CKV_GCP_102",
        "CKV_GCP_107",
        "CKV_GCP_112",
        "CKV_GCP_113",
        "CKV2_GCP_6",
        "CKV2_GCP_8",
      ],
      cis: ["1.9", "5.1", "7.1"],
      remedy: "Grant the role to the identity that needs it.",
    },
    /^google_/,
    ({ config }) => {
      if (config.invoker_iam_disabled === true) return "invoker_iam_disabled lets everybody call it";
      return findText(config, (text) => PUBLIC.has(text));
    },
  ),
  resourceRule(
    {
      id: "no-basic-role",
      severity: "critical",
      title: "No grant has a basic role.",
      checkov: ["CKV_GCP_115", "CKV_GCP_116", "CKV_GCP_117"],
      cis: ["1.5"],
      remedy: "Grant the predefined role of the one service, on the one resource.",
    },
    /_iam_/,
    ({ config }) => {
      const basic = roles(config).find((role) => /^roles\/(?:owner|editor|viewer)$/.test(role));
      return basic === undefined ? undefined : `role is ${basic}`;
    },
  ),
  resourceRule(
    {
      id: "no-admin-role-on-project",
      severity: "high",
      title: "No service account administers a service in a whole project.",
      checkov: ["CKV_GCP_42"],
      cis: ["1.5"],
      remedy: "Grant a narrower role, or the role on the one resource.",
    },
    WIDE_IAM,
    ({ config }) => {
      const account = [...strings(config.member), ...strings(config.members)].some(
        (member) => !/^(?:user|group|domain):/.test(member),
      );
      const admin = roles(config).find((role) => /admin/i.test(role) && !IMPERSONATION.has(role));
      return account && admin !== undefined ? `role is ${admin}` : undefined;
    },
  ),
  resourceRule(
    {
      id: "no-wide-impersonation",
      severity: "critical",
      title: "Nobody may act as every service account of a project.",
      checkov: ["CKV_GCP_41", "CKV_GCP_44", "CKV_GCP_45", "CKV_GCP_49"],
      cis: ["1.6"],
      remedy: "Grant the role on the one service account (google_service_account_iam_member).",
    },
    WIDE_IAM,
    ({ config }) => {
      const role = roles(config).find((given) => IMPERSONATION.has(given));
      return role === undefined ? undefined : `role is ${role}, for all service accounts at once`;
    },
  ),
  resourceRule(
    {
      id: "no-service-account-key",
      severity: "critical",
      title: "No service account has a key that can be copied.",
      checkov: ["CKV2_GCP_3"],
      cis: ["1.4"],
      remedy: "Attach the service account, or use workload identity federation.",
    },
    ["google_service_account_key", "google_storage_hmac_key", "google_apikeys_key"],
    () => "it is a key",
  ),
  resourceRule(
    {
      id: "no-default-account",
      severity: "high",
      title: "Nothing runs as, or is granted to, an account that Google made by itself.",
      checkov: ["CKV_GCP_46", "CKV_GCP_47", "CKV_GCP_48"],
      cis: ["4.1"],
      remedy: "Make an identity for the one purpose.",
    },
    /^google_/,
    ({ config }) => findText(config, (text) => DEFAULT_ACCOUNT.test(text)),
  ),
  resourceRule(
    {
      id: "additive-grants",
      severity: "high",
      title: "A grant adds a member, and takes nobody else's away.",
      checkov: [],
      cis: [],
      remedy: "Use the ..._iam_member resource.",
    },
    /_iam_(?:binding|policy)$/,
    ({ type }) => `${type} replaces all other members`,
  ),
  resourceRule(
    {
      id: "condition-limits",
      severity: "high",
      title: "A condition of a grant limits it, to whole folders or to single objects.",
      checkov: [],
      cis: [],
      remedy: "Name the resource in the expression; let the path of a folder of objects end in a slash.",
    },
    /_iam_member$/,
    ({ config }) => {
      for (const { expression } of blocks(config, "condition")) {
        if (!isGiven(expression) || !/\b(?:resource|request|api)\b/.test(expression))
          return `condition.expression is ${isGiven(expression) ? expression : "missing"}, which limits nothing`;
        // One object by its whole name opens nothing else.
        const prefixes = expression.replaceAll(/\bresource\.name == "[^"]+\/objects\/[^"]+"/g, "");
        const open = [...prefixes.matchAll(/"projects\/_\/buckets\/[^"]+?\/objects\/[^"]*"/g)].find(
          ([path]) => !path.endsWith('/"') || path.endsWith('/objects/"'),
        );
        if (open) return `condition.expression names ${open[0]}, which opens other folders too`;
      }
      return undefined;
    },
  ),
  resourceRule(
    {
      id: "federation-condition",
      severity: "critical",
      title: "Workload identity federation admits named repositories only.",
      checkov: ["CKV_GCP_118", "CKV_GCP_125"],
      cis: [],
      remedy: "Set attribute_condition to the one repository.",
    },
    ["google_iam_workload_identity_pool_provider"],
    ({ config }) =>
      isGiven(config.attribute_condition) && config.attribute_condition !== "true"
        ? undefined
        : "attribute_condition is missing: every repository of the issuer is admitted",
  ),
];
