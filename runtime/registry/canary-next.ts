import { type Canary, isOpen } from "./canary";

/** What is to be done about a canary: a sentence, and the commands that do it, the first one to be typed first. */
export interface CanaryNext {
  readonly sentence: string;
  readonly commands: readonly string[];
}

const command = (what: string) => `npm run models -- canary ${what}`;
const [ADVANCE, ABORT] = [command("advance"), command("abort")];

/**
 * Undefined where no model is being tried out any more.
 *
 * @param current the model that is current now
 */
export function nextOfCanary(canary: Canary, current: string | undefined): CanaryNext | undefined {
  if (!isOpen(canary)) return undefined;
  const { candidate, stable, state, look, shareSince } = canary;
  if (state === "starting")
    return {
      sentence: "It is being started. If that was ended before its end, start it again, or take it back.",
      commands: [command(`start ${candidate}`), ABORT],
    };
  if (current === candidate) return { sentence: "It is the current model by now: end the trial.", commands: [ADVANCE] };
  if (current !== stable)
    return {
      sentence: `The current model is ${current ?? "none"} now, and no more ${stable}: nothing goes on. Take it back, and start it again.`,
      commands: [ABORT, command(`start ${candidate}`)],
    };
  if (!look || look.at <= shareSince)
    return {
      sentence: `Nobody has advanced it ${look ? "since it has this share" : "yet"}, which says what is shown so far, and goes on or takes it back where enough is.`,
      commands: [ADVANCE],
    };
  if (look.outcome === "rollback") return { sentence: "It is shown to do harm: take it back.", commands: [ADVANCE] };
  if (look.outcome === "advance")
    return { sentence: "What the change plan asks for is shown: go on.", commands: [ADVANCE] };
  const open = look.findings.filter((finding) => finding.state === "open");
  return {
    sentence: open.some(({ missing, clause }) => missing === null && clause !== "canary.labels")
      ? "As it is now no number of scans would show it: look again, or take it back."
      : "Wait for more scans, then look again: it goes on by itself with --wait.",
    commands: [ADVANCE, `${ADVANCE} --wait`, ABORT],
  };
}
