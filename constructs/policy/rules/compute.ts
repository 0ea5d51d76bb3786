import { resourceRule } from "../rule";
import { block, blocks, isGiven } from "../stack-document";

const INSTANCE = /^google_compute_(?:instance|instance_template|region_instance_template)$/;
const isTrue = (value: unknown) => value === true || String(value).toLowerCase() === "true";

export const computeRules = [
  resourceRule(
    {
      id: "instance-shielded",
      severity: "medium",
      title: "A VM is shielded.",
      checkov: ["CKV_GCP_39"],
      cis: ["4.8"],
      remedy: "Set shielded_instance_config.enable_vtpm and enable_integrity_monitoring.",
    },
    INSTANCE,
    ({ config }) => {
      const shielded = block(config, "shielded_instance_config");
      const off = ["enable_vtpm", "enable_integrity_monitoring"].filter((option) => shielded[option] !== true);
      return off.length === 0 ? undefined : `shielded_instance_config lacks ${off.join(", ")}`;
    },
  ),
  resourceRule(
    {
      id: "instance-os-login",
      severity: "medium",
      title: "Who logs in to a VM is decided by IAM, not by keys in metadata.",
      // With OS Login on, a VM ignores the keys that metadata, the project's included, would bring.
      checkov: ["CKV_GCP_32", "CKV_GCP_34"],
      cis: ["4.3", "4.4"],
      remedy: 'Set metadata.enable-oslogin = "TRUE".',
    },
    INSTANCE,
    ({ config }) =>
      isTrue(block(config, "metadata")["enable-oslogin"]) ? undefined : "metadata.enable-oslogin is not TRUE",
  ),
  resourceRule(
    {
      id: "instance-serial-port",
      severity: "medium",
      title: "A VM's serial port is closed.",
      checkov: ["CKV_GCP_35"],
      cis: ["4.5"],
      remedy: "Remove metadata.serial-port-enable.",
    },
    INSTANCE,
    ({ config }) =>
      isTrue(block(config, "metadata")["serial-port-enable"]) ? "metadata.serial-port-enable is true" : undefined,
  ),
  resourceRule(
    {
      id: "instance-ip-forwarding",
      severity: "medium",
      title: "A VM forwards no packets.",
      checkov: ["CKV_GCP_36"],
      cis: ["4.6"],
      remedy: "Remove can_ip_forward.",
    },
    INSTANCE,
    ({ config }) => (config.can_ip_forward === true ? "can_ip_forward is true" : undefined),
  ),
  resourceRule(
    {
      id: "instance-own-identity",
      severity: "high",
      title: "A VM has an identity of its own.",
      checkov: ["CKV_GCP_30", "CKV_GCP_31"],
      cis: ["4.1", "4.2"],
      remedy: "Set service_account.email.",
    },
    INSTANCE,
    ({ config }) => (isGiven(block(config, "service_account").email) ? undefined : "service_account.email is missing"),
  ),
  resourceRule(
    {
      id: "gpu-run-duration",
      severity: "high",
      title: "A VM with a GPU ends by itself.",
      checkov: [],
      cis: [],
      remedy: "Set scheduling.max_run_duration and scheduling.instance_termination_action.",
    },
    INSTANCE,
    ({ config }) => {
      const gpu =
        blocks(config, "guest_accelerator").length > 0 || /^(?:a2|a3|a4|g2|g4)-/.test(String(config.machine_type));
      if (!gpu) return undefined;
      const scheduling = block(config, "scheduling");
      if (block(scheduling, "max_run_duration").seconds === undefined) return "scheduling.max_run_duration is missing";
      return isGiven(scheduling.instance_termination_action)
        ? undefined
        : "scheduling.instance_termination_action is missing";
    },
  ),
];
