import { resourceRule } from "../rule";
import { block, isGiven, type Json, type ResourceDocument } from "../stack-document";

export const DATAPROC = ["google_dataproc_cluster", "google_dataproc_workflow_template"];

/** The configuration of the cluster that a resource makes; undefined for a workflow on an existing cluster. */
export function clusterConfig({ type, config }: ResourceDocument): Json | undefined {
  if (!DATAPROC.includes(type)) return undefined;
  if (type === "google_dataproc_cluster") return block(config, "cluster_config");
  const managed = block(config, "placement.managed_cluster");
  return Object.keys(managed).length === 0 ? undefined : block(managed, "config");
}

const clusterRule = (text: Parameters<typeof resourceRule>[0], problem: (cluster: Json) => string | undefined) =>
  resourceRule(text, DATAPROC, (resource) => {
    const cluster = clusterConfig(resource);
    return cluster && problem(cluster);
  });

export const dataprocRules = [
  clusterRule(
    {
      id: "dataproc-internal-ip",
      severity: "high",
      title: "A Dataproc cluster has internal addresses only.",
      checkov: ["CKV_GCP_103"],
      cis: ["4.9"],
      remedy: "Set gce_cluster_config.internal_ip_only = true, in a subnetwork with private Google access.",
    },
    (cluster) =>
      block(cluster, "gce_cluster_config").internal_ip_only === true ? undefined : "internal_ip_only is not true",
  ),
  clusterRule(
    {
      id: "dataproc-image-pinned",
      severity: "medium",
      title: "A Dataproc cluster names its image.",
      checkov: [],
      cis: [],
      remedy: "Set software_config.image_version, such as 2.2-debian12.",
    },
    (cluster) => {
      const image = block(cluster, "software_config").image_version;
      return typeof image === "string" && /^\d+\.\d+(?:\.\d+)?-[a-z]+\d+$/.test(image)
        ? undefined
        : `software_config.image_version is ${isGiven(image) ? `"${image}"` : "missing"}`;
    },
  ),
  clusterRule(
    {
      id: "dataproc-shielded",
      severity: "medium",
      title: "The VMs of a Dataproc cluster are shielded.",
      checkov: [],
      cis: ["4.8"],
      remedy: "Set gce_cluster_config.shielded_instance_config: secure boot, vTPM, integrity monitoring.",
    },
    (cluster) => {
      const shielded = block(cluster, "gce_cluster_config.shielded_instance_config");
      const off = ["enable_secure_boot", "enable_vtpm", "enable_integrity_monitoring"].filter(
        (option) => shielded[option] !== true,
      );
      return off.length === 0 ? undefined : `shielded_instance_config lacks ${off.join(", ")}`;
    },
  ),
  clusterRule(
    {
      id: "dataproc-own-identity",
      severity: "high",
      title: "A Dataproc cluster has an identity of its own.",
      checkov: [],
      cis: ["4.1"],
      remedy: "Set gce_cluster_config.service_account.",
    },
    (cluster) =>
      isGiven(block(cluster, "gce_cluster_config").service_account)
        ? undefined
        : "gce_cluster_config.service_account is missing",
  ),
];
