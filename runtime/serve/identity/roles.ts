/** Each role may do what those before it may. */
export const ROLES = ["viewer", "clinician", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Who asks. */
export interface Caller {
  /** Address in small letters; `local` where nobody is asked who he is. */
  readonly who: string;
  readonly role: Role;
}

/** What a route asks of its caller; `open`: nothing, not even a token. */
export type RouteRole = "open" | Role;

export const mayDo = (caller: Caller, needed: Role): boolean => ROLES.indexOf(caller.role) >= ROLES.indexOf(needed);

/** One address, or many by a `*`, which stands for any characters but `@` and, before a domain, for what is below it. */
const PATTERN =
  /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@(?:\*|(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9])$/;
/** Letters beyond ASCII have twins that look alike: an address with one is nobody's. */
const ADDRESS = /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9.-]{1,253}$/;

/** An address in small letters; undefined where a claim holds none. */
export function addressIn(claim: unknown): string | undefined {
  const address = typeof claim === "string" && /^[ -~]*$/.test(claim) ? claim.toLowerCase() : "";
  return ADDRESS.test(address) ? address : undefined;
}

/** Who has which role. */
export class RoleTable {
  private readonly patterns: readonly (readonly [Role, readonly RegExp[]])[];

  private constructor(private readonly given: Readonly<Partial<Record<Role, readonly string[]>>>) {
    const highestFirst = [...ROLES].reverse();
    this.patterns = highestFirst.map((role) => [role, (given[role] ?? []).map(expressionOf)]);
  }

  /**
   * @param json `{"viewer": ["*@hospital.org"], "clinician": [...], "admin": [...]}`
   * @param fail is told everything that is wrong, each as a sentence without its full stop
   */
  static parse(json: string, fail: (what: string) => void): RoleTable | undefined {
    let problems = 0;
    const wrong = (what: string) => {
      problems++;
      fail(what);
    };
    const given = listsIn(json, wrong);
    for (const [role, patterns] of Object.entries(given))
      for (const pattern of patterns)
        if (!PATTERN.test(pattern.toLowerCase()))
          wrong(
            `nobody's address can be "${pattern}", given for ${role}; write an address, or many as *@hospital.org or *@*.hospital.org`,
          );
    return problems > 0 ? undefined : new RoleTable(given);
  }

  /** Whether nobody has any role. */
  get isEmpty(): boolean {
    return Object.values(this.given).every((patterns) => patterns.length === 0);
  }

  /** Patterns that every address matches. */
  get forEverybody(): readonly string[] {
    return Object.values(this.given).flatMap((patterns) => patterns.filter((pattern) => pattern === "*@*"));
  }

  /** The highest role of an address in small letters. */
  roleOf(address: string): Role | undefined {
    return this.patterns.find(([, expressions]) => expressions.some((expression) => expression.test(address)))?.[0];
  }
}

function listsIn(json: string, wrong: (what: string) => void): Partial<Record<Role, readonly string[]>> {
  const shape = 'must be JSON such as {"viewer": ["*@hospital.org"], "clinician": [], "admin": []}';
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    wrong(shape);
    return {};
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    wrong(shape);
    return {};
  }
  const lists: Partial<Record<Role, readonly string[]>> = {};
  for (const [name, value] of Object.entries(parsed)) {
    const role = ROLES.find((known) => known === name);
    if (!role) wrong(`there is no role "${name}"; roles are ${ROLES.join(", ")}`);
    else if (!Array.isArray(value) || !value.every((pattern) => typeof pattern === "string"))
      wrong(`${role} must be a list of addresses, such as ["*@hospital.org"]`);
    else lists[role] = value;
  }
  return lists;
}

function expressionOf(pattern: string): RegExp {
  const parts = pattern.toLowerCase().split("*");
  return new RegExp(`^${parts.map((part) => part.replace(/[.+?^$|(){}[\]\\/-]/g, "\\$&")).join("[^@]*")}$`);
}
