import type { TerraformResourceLifecycle } from "./cdktf";

/** What `terraform destroy` does to what holds data. */
export type Removal = "retain" | "destroy";

export interface RemovalPolicy {
  /** Delete a bucket together with its objects. */
  readonly forceDestroy: boolean;
  /** Refuse to delete; a deploy has to switch it off first. */
  readonly deletionProtection: boolean;
  /** Spread into the configuration of every stateful resource. */
  readonly lifecycle: { readonly lifecycle?: TerraformResourceLifecycle };
  /** How long Cloud Storage keeps what was deleted. 0 switches it off, so that a bucket's name is free at once. */
  readonly softDeleteSeconds: number;
}

const DAY = 24 * 60 * 60;

const POLICIES: Readonly<Record<Removal, RemovalPolicy>> = {
  retain: {
    forceDestroy: false,
    deletionProtection: true,
    lifecycle: { lifecycle: { preventDestroy: true } },
    softDeleteSeconds: 30 * DAY,
  },
  destroy: { forceDestroy: true, deletionProtection: false, lifecycle: {}, softDeleteSeconds: 0 },
};

export function removalPolicy(removal: Removal): RemovalPolicy {
  return POLICIES[removal];
}
