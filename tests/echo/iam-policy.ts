import { createHash } from "node:crypto";
import { isRecord, type Json, recordOf } from "./json";
import { ApiProblem } from "./problem";

interface Binding {
  readonly role: string;
  readonly members: readonly string[];
  readonly condition?: Json;
}

/** Who may do what, by the name of the resource. Every policy exists, empty, from the start. */
export class Policies {
  private readonly policies = new Map<string, Json>();
  private readonly givers = new Map<string, string>();
  /** Who writes: it is noted beside each right that is given. */
  writer = "";

  get(name: string): Json {
    const policy = this.policies.get(name) ?? {};
    return { version: 1, ...policy, etag: etagOf(policy) };
  }

  /**
   * Replaces a policy, if nobody else did since it was read.
   * @param mask names of its fields; without one, bindings alone are replaced, as Google does
   * @throws 409 where the etag is that of another policy
   */
  set(name: string, policy: Json, mask?: readonly string[]): Json {
    const before = this.policies.get(name) ?? {};
    const { etag } = policy;
    if (typeof etag === "string" && etag !== "" && etag !== etagOf(before))
      throw new ApiProblem(409, "ABORTED", `The policy of ${name} was changed since it was read.`);
    const bindings = normal(policy.bindings);
    const conditional = bindings.some((binding) => binding.condition);
    if (conditional && Number(policy.version ?? 1) < 3)
      throw new ApiProblem(400, "INVALID_ARGUMENT", "A policy with conditions is of version 3.");
    const audited = mask?.includes("auditConfigs") ? policy.auditConfigs : before.auditConfigs;
    const after: Json = {
      ...(conditional ? { version: 3 } : {}),
      ...(bindings.length > 0 ? { bindings } : {}),
      ...(Array.isArray(audited) && audited.length > 0 ? { auditConfigs: audited } : {}),
    };
    if (Object.keys(after).length === 0) this.policies.delete(name);
    else this.policies.set(name, after);
    const held = new Set(rightsOf(name, before));
    for (const right of rightsOf(name, after)) if (!held.has(right)) this.givers.set(right, this.writer);
    return this.get(name);
  }

  /** With its resource goes its policy. */
  forget(name: string): void {
    this.policies.delete(name);
  }

  /** Every right by itself, and who gave it: `storage/b/data roles/storage.objectViewer user:a@b.c`. */
  rights(): { readonly name: string; readonly by: string }[] {
    return [...this.policies]
      .flatMap(([name, policy]) => rightsOf(name, policy))
      .map((name) => ({ name, by: this.givers.get(name) ?? "" }));
  }
}

function rightsOf(name: string, policy: Json): string[] {
  return [
    ...normal(policy.bindings).flatMap(({ role, members, condition }) =>
      members.map((member) => `${name} ${role} ${member}${condition ? ` if ${condition.expression}` : ""}`),
    ),
    ...asList(policy.auditConfigs).map((config) => `${name} audit ${recordOf(config).service}`),
  ];
}

/** One binding for a role and condition, members once each and in order. */
function normal(bindings: unknown): Binding[] {
  const merged = new Map<string, { role: string; members: Set<string>; condition?: Json }>();
  for (const binding of asList(bindings)) {
    const { role, members, condition } = recordOf(binding);
    const key = JSON.stringify([role, condition ?? null]);
    const known = merged.get(key) ?? {
      role: String(role),
      members: new Set<string>(),
      ...(isRecord(condition) ? { condition } : {}),
    };
    for (const member of asList(members)) known.members.add(String(member));
    merged.set(key, known);
  }
  return [...merged.values()]
    .filter(({ members }) => members.size > 0)
    .map(({ members, ...rest }) => ({ ...rest, members: [...members].sort() }))
    .sort((a, b) => (a.role < b.role ? -1 : a.role > b.role ? 1 : 0));
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const etagOf = (policy: Json) => createHash("sha256").update(JSON.stringify(policy)).digest("base64").slice(0, 12);
