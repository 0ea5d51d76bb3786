import type { CallerRole } from "../../runtime/serve/contract";

/** Somebody whose tokens say who he is, as IAM names him. */
export type Member = `user:${string}` | `serviceAccount:${string}` | `domain:${string}`;
/** Identity-Aware Proxy also knows who is in a group. */
export type Viewer = Member | `group:${string}`;

/** Who may ask, by the role in which they do. */
export interface NamedCallers {
  readonly viewer: readonly Viewer[];
  readonly clinician: readonly Member[];
  readonly admin: readonly Member[];
}

/** Everybody with a role, each once: whom IAM lets reach the service at all. */
export function everybodyIn(callers: NamedCallers): readonly Viewer[] {
  return [...new Set([...callers.viewer, ...callers.clinician, ...callers.admin])];
}

/**
 * AUTH_ROLES of the service: `{"viewer": ["*@hospital.org"], ...}`. Who is in a group, the proxy alone knows: whom it lets
 * in for one is a viewer.
 */
export function authRoles(callers: NamedCallers): string {
  const patterns = (members: readonly Viewer[]) => [...new Set(members.map(patternOf))].sort();
  const roles: Readonly<Record<CallerRole, readonly string[]>> = {
    viewer: patterns(callers.viewer),
    clinician: patterns(callers.clinician),
    admin: patterns(callers.admin),
  };
  return JSON.stringify(roles);
}

function patternOf(member: Viewer): string {
  const [kind, name] = [member.slice(0, member.indexOf(":")), member.slice(member.indexOf(":") + 1)];
  if (kind === "group") return "*@*";
  return kind === "domain" ? `*@${name}` : name;
}
