import type { Label } from "../intake";

/** What a person said of a picture, or of the study that it is a slice of. */
export interface SaidOfPicture {
  /** Unique id of this feedback. */
  readonly feedback: string;
  /** SHA-256 of the picture's pixels. */
  readonly sha256: string;
  /** Cancer, Non-Cancer or Withdrawn. */
  readonly label: string;
  readonly who: string;
  /** ISO 8601. */
  readonly given_at: string;
  /** `study`: said of the whole study. */
  readonly scope: string | null;
  /** Whether an administrator confirms it. */
  readonly confirmed: boolean | null;
}

/** A label that counts: two people agree on it, or an administrator confirmed it, and nobody contradicts. */
export interface AgreedLabel {
  readonly sha256: string;
  readonly label: Label;
  readonly by: "two people" | "an administrator";
  /** When it began to count: ISO 8601. */
  readonly since: string;
  /** What it stands on: ids of feedback, ascending. */
  readonly feedback: readonly string[];
}

export interface Agreement {
  /** Ascending by picture. */
  readonly agreed: readonly AgreedLabel[];
  /** Pictures on which one person alone said something. */
  readonly waiting: number;
  /** Pictures on which people contradict each other. */
  readonly contradicted: number;
}

interface Voice {
  readonly feedback: string;
  readonly label: Label;
  readonly at: number;
  readonly confirmed: boolean;
}

/**
 * Which labels count.
 *
 * - Of a person the newest word on a picture counts, whatever model answered; Withdrawn is none.
 * - Two people, or one administrator who confirms. A contradiction undoes both; one that was there before an administrator
 *   confirmed is settled by that.
 * - What was said of a whole study: free of Cancer, each slice is, unless somebody says that the study has it. That a study
 *   has Cancer is a label of no slice.
 * - One person is one, by however many addresses; see {@link personOf}. Programs are nobody.
 *
 * @param samePerson lists of addresses that belong to one person each
 */
export function agreedLabels(
  said: Iterable<SaidOfPicture>,
  samePerson: readonly (readonly string[])[] = [],
): Agreement {
  const pictures = new Map<string, SaidOfPicture[]>();
  for (const one of said) {
    const same = pictures.get(one.sha256);
    if (same) same.push(one);
    else pictures.set(one.sha256, [one]);
  }
  const person = peopleOf(samePerson);
  const agreed: AgreedLabel[] = [];
  let waiting = 0;
  let contradicted = 0;
  for (const [sha256, of] of [...pictures].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const voices = voicesOn(of, person);
    if (voices.length === 0) continue;
    const found = decide(voices);
    if (found === "contradicted") contradicted++;
    else if (found === "waiting") waiting++;
    else agreed.push({ sha256, ...found });
  }
  return { agreed, waiting, contradicted };
}

/** What each person stands by, of the slice itself. */
function voicesOn(said: readonly SaidOfPicture[], person: (who: string) => string | undefined): readonly Voice[] {
  const newest = new Map<string, SaidOfPicture>();
  for (const one of [...said].sort(byTime)) {
    const who = person(one.who);
    // Keys of both kinds lie apart: a person may say something of a study and something else of one of its slices.
    if (who !== undefined) newest.set(`${one.scope ?? "scan"} ${who}`, one);
  }
  const standing = [...newest].filter(([, { label }]) => label !== "Withdrawn");
  const hasCancer = standing.some(([key, { label }]) => key.startsWith("study ") && label === "Cancer");
  const voices = new Map<string, Voice>();
  // What somebody says of the slice counts before what he says of its study.
  for (const scope of ["study ", "scan "])
    for (const [key, { feedback, label, given_at, confirmed }] of standing) {
      if (!key.startsWith(scope) || (scope === "study " && hasCancer)) continue;
      const voice = { feedback, label: label as Label, at: Date.parse(given_at), confirmed: confirmed === true };
      voices.set(key.slice(scope.length), voice);
    }
  return [...voices.values()].sort((a, b) => a.at - b.at);
}

/** @param voices one a person, by time */
function decide(voices: readonly Voice[]): "waiting" | "contradicted" | Omit<AgreedLabel, "sha256"> {
  const labels = (of: readonly Voice[]) => new Set(of.map(({ label }) => label));
  const confirmations = voices.filter(({ confirmed }) => confirmed);
  const [first] = confirmations;
  const last = confirmations.at(-1);
  if (first && last) {
    const { label } = first;
    const isOpen = voices.some((voice) => voice.label !== label && (voice.confirmed || voice.at > last.at));
    return isOpen ? "contradicted" : { label, by: "an administrator", ...standsOn(voices, label, last.at) };
  }
  if (labels(voices).size > 1) return "contradicted";
  const second = voices[1];
  if (!second) return "waiting";
  return { label: second.label, by: "two people", ...standsOn(voices, second.label, second.at) };
}

const standsOn = (voices: readonly Voice[], label: Label, at: number) => ({
  since: new Date(at).toISOString(),
  feedback: voices.flatMap((voice) => (voice.label === label ? [voice.feedback] : [])).sort(),
});

const byTime = (a: SaidOfPicture, b: SaidOfPicture) =>
  Date.parse(a.given_at) - Date.parse(b.given_at) || (a.feedback < b.feedback ? -1 : 1);

function peopleOf(samePerson: readonly (readonly string[])[]): (who: string) => string | undefined {
  const first = new Map<string, string>();
  for (const addresses of samePerson) {
    const people = addresses.flatMap((address) => personOf(address) ?? []);
    const known = people.flatMap((one) => first.get(one) ?? [])[0] ?? people[0];
    if (known !== undefined) for (const one of people) first.set(one, known);
  }
  return (who) => {
    const one = personOf(who);
    return one === undefined ? undefined : (first.get(one) ?? one);
  };
}

/**
 * Who stands behind an address: the same whatever its case, and with or without what follows a plus sign; at Gmail dots say
 * nothing either. Nobody stands behind a program's account.
 */
export function personOf(who: string): string | undefined {
  const address = who.normalize("NFKC").trim().toLowerCase().replace(/\.$/, "");
  const at = address.lastIndexOf("@");
  if (at < 0) return address === "" ? undefined : address;
  // Letters that look alike are no second person: the service lets nobody in by such an address.
  if (!/^[!-~]+$/.test(address) || address.includes('"')) return undefined;
  const domain = address.slice(at + 1).replace(/^googlemail\.com$/, "gmail.com");
  if (domain.endsWith("gserviceaccount.com")) return undefined;
  const local = address.slice(0, at).replace(/\+.*$/, "");
  return `${domain === "gmail.com" ? local.replaceAll(".", "") : local}@${domain}`;
}
