import { LoggingProjectSink } from "@cdktf/provider-google/lib/logging-project-sink";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";

export interface AuditSinkProps {
  readonly project: string;
  /** Unique in its project. */
  readonly name: string;
  /** Name of the bucket that keeps the logs. */
  readonly archive: string;
  /** @default none */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** Who did what, and what Google's own staff did. https://cloud.google.com/logging/docs/audit */
const AUDIT_LOGS =
  'log_id("cloudaudit.googleapis.com/activity") OR log_id("cloudaudit.googleapis.com/data_access") OR log_id("cloudaudit.googleapis.com/policy") OR log_id("cloudaudit.googleapis.com/system_event") OR log_id("cloudaudit.googleapis.com/access_transparency")';

/** Sends every audit log of a project to the platform's archive, out of reach of whoever owns the project. */
export class AuditSink extends Construct {
  /** What the sink writes as: it has to be let into the archive. */
  readonly writer: string;

  constructor(scope: Construct, id: string, props: AuditSinkProps) {
    super(scope, id);
    const sink = new LoggingProjectSink(this, "sink", {
      project: props.project,
      name: props.name,
      description: "Audit logs to the platform's archive",
      destination: `storage.googleapis.com/${props.archive}`,
      filter: AUDIT_LOGS,
      uniqueWriterIdentity: true,
      dependsOn: [...(props.dependsOn ?? [])],
    });
    this.writer = sink.writerIdentity;
  }
}
