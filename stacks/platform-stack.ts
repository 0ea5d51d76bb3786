import { ArtifactRegistryRepository } from "@cdktf/provider-google/lib/artifact-registry-repository";
import { ArtifactRegistryRepositoryIamMember } from "@cdktf/provider-google/lib/artifact-registry-repository-iam-member";
import { ProjectIamCustomRole } from "@cdktf/provider-google/lib/project-iam-custom-role";
import type { Construct } from "constructs";
import { TerraformOutput } from "../constructs/core/cdktf";
import { dataClass } from "../constructs/core/labels";
import { cryptoKeyId, keyRingName, resourceName } from "../constructs/core/naming";
import { removalPolicy } from "../constructs/core/removal";
import { logWriterMember, serviceAgentMember } from "../constructs/core/service-agents";
import { acknowledge } from "../constructs/policy";
import { AuditSink, EphemeralKeys, encryptionKeyFromId } from "../constructs/security";
import { allowLogSink, SecureBucket } from "../constructs/storage";
import { BaseStack, platformSettings } from "./base-stack";
import { addPolicyReader } from "./delivery-access";
import {
  auditArchiveName,
  ciDeployer,
  IMAGE_REPOSITORY,
  imageRepository,
  logArchiveName,
  type Platform,
} from "./platform-config";

/** Six years, two of them leap years. https://www.ecfr.gov/current/title-45/section-164.316 */
const LOG_RETENTION_DAYS = 2192;

/** What all hospitals share: the registry of their images, the archive of their audit logs, the keys of ephemeral ones. */
export class PlatformStack extends BaseStack {
  constructor(scope: Construct, platform: Platform) {
    super(scope, "platform", platformSettings(platform, "metadata"));
    // The platform's own key is bootstrap's, which keeps the state of this stack.
    const key = encryptionKeyFromId(cryptoKeyId(platform, keyRingName(platform), "data"));

    const images = new ArtifactRegistryRepository(this, "images", {
      project: platform.project,
      location: platform.region,
      repositoryId: IMAGE_REPOSITORY,
      description: "Images that hospitals run: serve and train",
      format: "DOCKER",
      mode: "STANDARD_REPOSITORY",
      kmsKeyName: key.id,
      labels: dataClass("code"),
      cleanupPolicyDryRun: false,
      cleanupPolicies: [
        { id: "delete-untagged", action: "DELETE", condition: { tagState: "UNTAGGED", olderThan: "7776000s" } },
        { id: "keep-recent", action: "KEEP", mostRecentVersions: { keepCount: 20 } },
      ],
      ...removalPolicy(platform.removal).lifecycle,
    });
    images.overrideLogicalId("images");

    const archive = new SecureBucket(this, "archive", {
      hospital: platform,
      name: logArchiveName(platform),
      key,
      removal: platform.removal,
      dataClass: "metadata",
      // Nothing in it can be replaced or deleted for six years, so that there are no versions to keep.
      versioned: false,
      retention: { days: LOG_RETENTION_DAYS, locked: platform.lockLogArchive },
      nearlineAfterDays: 90,
      expireAfterDays: LOG_RETENTION_DAYS,
      logicalId: "log_archive",
    });
    if (platform.lockLogArchive)
      acknowledge(archive.resource, "retention-lock-by-option", "The platform's line says lockLogArchive: true.");

    // What a hospital's sealer adds: hashes and signatures, none of which says anything of a patient. Nothing expires: a log
    // is verified from its first leaf on.
    const audits = new SecureBucket(this, "audits", {
      hospital: platform,
      name: auditArchiveName(platform),
      key,
      removal: platform.removal,
      dataClass: "metadata",
      versioned: false,
      retention: { days: LOG_RETENTION_DAYS, locked: platform.lockLogArchive },
      nearlineAfterDays: 90,
      logicalId: "audit_archive",
    });
    if (platform.lockLogArchive)
      acknowledge(audits.resource, "retention-lock-by-option", "The platform's line says lockLogArchive: true.");

    const sink = new AuditSink(this, "audit-sink", {
      project: platform.project,
      name: resourceName(platform, "audit"),
      archive: archive.resource.name,
    });
    allowLogSink(sink, "archive", archive.resource.name, sink.writer);

    if (platform.ci) this.addEphemeralKeys(platform, platform.ci, archive);
    // Cloud Run's agent pulls for every environment of the CI project: the grant belongs to none of them.
    if (platform.ci)
      new ArtifactRegistryRepositoryIamMember(this, "ci-run-pulls", {
        project: platform.project,
        location: platform.region,
        repository: images.name,
        role: "roles/artifactregistry.reader",
        member: serviceAgentMember(platform.ci, "run"),
      });
    if (platform.repository) addPolicyReader(this, platform);
    if (platform.ci && platform.repository) this.letCiGrantImages(platform, images);

    new TerraformOutput(this, "image_repository", {
      value: imageRepository(platform),
      description: "Where npm run image pushes to",
    });
  }

  private addEphemeralKeys(platform: Platform, ci: NonNullable<Platform["ci"]>, archive: SecureBucket): void {
    // The sink of the CI project is bootstrap's, which comes before this archive.
    allowLogSink(archive, "ci-audit", archive.resource.name, logWriterMember(ci));
    const granter = new ProjectIamCustomRole(this, "key-granter", {
      project: platform.project,
      roleId: "brainTumorKeyGranter",
      title: "Grants rights on keys of ephemeral environments",
      description: "Reads and changes who may use a key, and nothing else",
      stage: "GA",
      // In the order of the API's answer.
      permissions: ["cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.getIamPolicy", "cloudkms.cryptoKeys.setIamPolicy"],
    });
    acknowledge(
      granter,
      "kms-administration",
      "CI lets an environment's identities use the keys that all environments share, on that ring alone; no patient's data is there.",
    );
    for (const region of platform.ephemeralRegions)
      new EphemeralKeys(this, `ephemeral-keys-${region}`, {
        platform,
        region,
        removal: platform.removal,
        environments: ci,
        ...(platform.repository ? { granter: { member: ciDeployer(platform), role: granter.name } } : {}),
      });
  }

  /** An environment's stacks let its own identities pull: CI has to be able to say so, and to read what it deploys. */
  private letCiGrantImages(platform: Platform, images: ArtifactRegistryRepository): void {
    const granter = new ProjectIamCustomRole(this, "image-granter", {
      project: platform.project,
      roleId: "brainTumorImageGranter",
      title: "Lets ephemeral environments pull images",
      description: "Reads and changes who may use a repository, and nothing else",
      stage: "GA",
      permissions: [
        "artifactregistry.repositories.get",
        "artifactregistry.repositories.getIamPolicy",
        "artifactregistry.repositories.setIamPolicy",
      ],
    });
    new ArtifactRegistryRepositoryIamMember(this, "ci-grants-images", {
      project: platform.project,
      location: platform.region,
      repository: images.name,
      role: granter.name,
      member: ciDeployer(platform),
    });
    // Cloud Run takes an image from nobody who may not read it.
    new ArtifactRegistryRepositoryIamMember(this, "ci-reads-images", {
      project: platform.project,
      location: platform.region,
      repository: images.name,
      role: "roles/artifactregistry.reader",
      member: ciDeployer(platform),
    });
  }
}
