import { resourceRule } from "../rule";
import { block, blocks, isGiven, type Json, type ResourceDocument, record } from "../stack-document";

const SERVICE = ["google_cloud_run_v2_service"];
const RUN = [...SERVICE, "google_cloud_run_v2_job"];
const FUNCTION = ["google_cloudfunctions2_function"];

/** The template that holds containers: a job's stands one level deeper. */
const template = ({ type, config }: ResourceDocument): Json =>
  block(config, type.endsWith("_job") ? "template.template" : "template");

const SECRET_NAME = /PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_KEY|API_KEY|CREDENTIAL/i;
/** Where a secret is, in place of the secret. */
const REFERENCE = /\$\{|^gcp-kms:\/\/|^projects\/|^sm:\/\//;

export const serverlessRules = [
  resourceRule(
    {
      id: "run-ingress",
      severity: "high",
      title: "A Cloud Run service is reached from inside or through the load balancer.",
      checkov: [],
      cis: [],
      remedy: "Set ingress to INGRESS_TRAFFIC_INTERNAL_ONLY or INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER.",
    },
    SERVICE,
    ({ config }) =>
      /^INGRESS_TRAFFIC_INTERNAL_(?:ONLY|LOAD_BALANCER)$/.test(String(config.ingress))
        ? undefined
        : `ingress is ${isGiven(config.ingress) ? config.ingress : "INGRESS_TRAFFIC_ALL by default"}`,
  ),
  resourceRule(
    {
      id: "run-image-digest",
      severity: "high",
      title: "A container image is named by its digest.",
      checkov: [],
      cis: [],
      remedy: "Run npm run image, which writes images.lock.json.",
    },
    RUN,
    (resource) => {
      const images = blocks(template(resource), "containers").map(({ image }) => String(image));
      const loose = images.find((image) => !/@sha256:[0-9a-f]{64}$/.test(image));
      if (images.length === 0) return "it has no container";
      return loose === undefined ? undefined : `image is ${loose}`;
    },
  ),
  resourceRule(
    {
      id: "run-max-instances",
      severity: "medium",
      title: "A Cloud Run service has a limit on its instances, and so on its costs.",
      checkov: [],
      cis: [],
      remedy: "Set template.scaling.max_instance_count.",
    },
    SERVICE,
    ({ config }) =>
      typeof block(config, "template.scaling").max_instance_count === "number"
        ? undefined
        : "template.scaling.max_instance_count is missing",
  ),
  resourceRule(
    {
      id: "run-own-identity",
      severity: "high",
      title: "A Cloud Run service or job has an identity of its own.",
      checkov: [],
      cis: [],
      remedy: "Set the template's service_account.",
    },
    RUN,
    (resource) =>
      isGiven(template(resource).service_account) ? undefined : "the template's service_account is missing",
  ),
  resourceRule(
    {
      id: "run-probes",
      severity: "medium",
      title: "A Cloud Run service is asked whether it started and whether it lives.",
      checkov: [],
      cis: [],
      remedy: "Set startup_probe and liveness_probe of the container.",
    },
    SERVICE,
    ({ config }) => {
      const [container = {}] = blocks(block(config, "template"), "containers");
      const lacks = ["startup_probe", "liveness_probe"].filter((probe) => blocks(container, probe).length === 0);
      return lacks.length === 0 ? undefined : `the container lacks ${lacks.join(", ")}`;
    },
  ),
  resourceRule(
    {
      id: "function-ingress",
      severity: "high",
      title: "A Cloud Function is reached from inside only.",
      checkov: ["CKV_GCP_124"],
      cis: [],
      remedy: "Set service_config.ingress_settings to ALLOW_INTERNAL_ONLY.",
    },
    FUNCTION,
    ({ config }) => {
      const ingress = block(config, "service_config").ingress_settings;
      return /^ALLOW_INTERNAL_(?:ONLY|AND_GCLB)$/.test(String(ingress))
        ? undefined
        : `service_config.ingress_settings is ${isGiven(ingress) ? ingress : "ALLOW_ALL by default"}`;
    },
  ),
  resourceRule(
    {
      id: "function-own-identity",
      severity: "high",
      title: "A Cloud Function runs and is built under identities of its own.",
      checkov: [],
      cis: [],
      remedy: "Set service_config.service_account_email and build_config.service_account.",
    },
    FUNCTION,
    ({ config }) => {
      if (!isGiven(block(config, "service_config").service_account_email))
        return "service_config.service_account_email is missing";
      return isGiven(block(config, "build_config").service_account)
        ? undefined
        : "build_config.service_account is missing";
    },
  ),
  resourceRule(
    {
      id: "function-max-instances",
      severity: "medium",
      title: "A Cloud Function has a limit on its instances, and so on its costs.",
      checkov: [],
      cis: [],
      remedy: "Set service_config.max_instance_count.",
    },
    FUNCTION,
    ({ config }) =>
      typeof block(config, "service_config").max_instance_count === "number"
        ? undefined
        : "service_config.max_instance_count is missing",
  ),
  resourceRule(
    {
      id: "function-egress",
      severity: "high",
      title: "A Cloud Function that has a way into a network sends everything by it.",
      checkov: [],
      cis: [],
      remedy: "Set service_config.vpc_connector_egress_settings to ALL_TRAFFIC.",
    },
    FUNCTION,
    ({ config }) => {
      const { vpc_connector: connector, vpc_connector_egress_settings: egress } = block(config, "service_config");
      if (!isGiven(connector)) return undefined;
      return egress === "ALL_TRAFFIC"
        ? undefined
        : `service_config.vpc_connector_egress_settings is ${isGiven(egress) ? egress : "PRIVATE_RANGES_ONLY by default"}, by which the internet is reached past the network's rules`;
    },
  ),
  resourceRule(
    {
      id: "push-authenticated",
      severity: "high",
      title: "A push subscription signs what it sends.",
      checkov: [],
      cis: [],
      remedy: "Set push_config.oidc_token.service_account_email.",
    },
    ["google_pubsub_subscription"],
    ({ config }) =>
      blocks(config, "push_config").every((push) => isGiven(block(push, "oidc_token").service_account_email))
        ? undefined
        : "push_config.oidc_token is missing",
  ),
  resourceRule(
    {
      id: "schedule-own-identity",
      severity: "high",
      title: "What a schedule calls is called over TLS, as an identity of its own.",
      checkov: [],
      cis: [],
      remedy: "Set http_target.oauth_token.service_account_email, and an address that begins with https.",
    },
    ["google_cloud_scheduler_job"],
    ({ config }) => {
      const target = block(config, "http_target");
      if (!String(target.uri ?? "https:").startsWith("https:")) return `http_target.uri is ${target.uri}`;
      const signed = ["oauth_token", "oidc_token"].some((token) => isGiven(block(target, token).service_account_email));
      return signed || blocks(config, "pubsub_target").length > 0
        ? undefined
        : "http_target.oauth_token.service_account_email is missing: nobody knows who calls";
    },
  ),
  resourceRule(
    {
      id: "no-secret-in-environment",
      severity: "high",
      title: "No environment variable holds a secret.",
      checkov: [],
      cis: ["1.17"],
      remedy: "Keep it in Secret Manager and bind it by secret_environment_variables or value_source.",
    },
    [...RUN, ...FUNCTION],
    (resource) => {
      const functions = ["service_config", "build_config"].flatMap((part) =>
        Object.entries(record(block(resource.config, part).environment_variables)),
      );
      const containers = blocks(template(resource), "containers").flatMap((container) =>
        blocks(container, "env").map(({ name, value }) => [String(name), value] as const),
      );
      const secret = [...functions, ...containers].find(
        ([name, value]) => SECRET_NAME.test(name) && isGiven(value) && !REFERENCE.test(value),
      );
      return secret === undefined ? undefined : `${secret[0]} stands in the environment in clear`;
    },
  ),
];
