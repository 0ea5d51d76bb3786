import type { IConstruct } from "constructs";
import { type IAspect, TerraformResource } from "./cdktf";

/** `phi`: scans and what is derived from them. `metadata`: names and events of scans. `code`: programs. */
export type DataClass = "phi" | "metadata" | "code";

export interface HospitalLabels {
  readonly hospital: string;
  readonly env: string;
  readonly owner: string;
  readonly dataClass: DataClass;
  /** Date (YYYY-MM-DD) from which a clean-up may take the environment away. */
  readonly expiresAt?: string | undefined;
}

/** https://cloud.google.com/resource-manager/docs/labels-overview#requirements */
export const LABEL_VALUE = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** A single label that a resource sets for itself. */
export function dataClass(value: DataClass): Record<string, string> {
  return { "data-class": value };
}

interface Labelled {
  labels: Record<string, string>;
  readonly labelsInput: Record<string, string> | undefined;
}

/** Cloud Monitoring keeps what others call labels in a second field. */
interface UserLabelled {
  userLabels: Record<string, string>;
  readonly userLabelsInput: Record<string, string> | undefined;
}

/** Puts the hospital's labels on every resource that can carry labels; what a resource set itself stays. */
export class LabelAspect implements IAspect {
  private readonly labels: Readonly<Record<string, string>>;

  constructor(labels: HospitalLabels) {
    this.labels = {
      hospital: labels.hospital,
      env: labels.env,
      owner: labels.owner,
      ...dataClass(labels.dataClass),
      "managed-by": "cdktf",
      ...(labels.expiresAt ? { "expires-at": labels.expiresAt } : {}),
    };
  }

  visit(node: IConstruct): void {
    if (!TerraformResource.isTerraformResource(node)) return;
    if ("userLabelsInput" in node) {
      // Of a notification channel, "labels" are its address.
      const labelled = node as unknown as UserLabelled;
      labelled.userLabels = { ...this.labels, ...labelled.userLabelsInput };
      return;
    }
    if (!("labelsInput" in node)) return;
    const labelled = node as unknown as Labelled;
    labelled.labels = { ...this.labels, ...labelled.labelsInput };
  }
}
