import { auc, type ScoredScan } from "../../evaluate";
import { labelOf } from "../../model";
import type { WatchName } from "../watches";

/** What is known on the evening of a simulated day, to say whether a retraining is due. Days count from 0. */
export interface Evening {
  readonly day: number;
  /** The day on which the last retraining began; -1 before the first: the model took over before the first day. */
  readonly since: number;
  /** Scans whose label somebody confirmed since then. */
  readonly fresh: number;
  readonly model: string;
  /** Over this model, since it serves, in the order of their days. */
  readonly alarms: readonly { readonly watch: WatchName; readonly day: number }[];
}

export interface Due {
  readonly trigger: string;
  /** A sentence. */
  readonly reason: string;
}

export interface Decided {
  readonly promoted: boolean;
  /** A sentence. */
  readonly reason: string;
  /** Of the change plan, which the challenger does not meet. */
  readonly clause?: string;
}

/** The promotions of one simulated hospital, which count its comparisons. */
export interface Promotions {
  /** Compares two models on the same scans, and moves the hospital's pointer if the rule says so. */
  consider(compared: {
    readonly day: number;
    readonly challenger: readonly ScoredScan[];
    readonly champion: readonly ScoredScan[];
    readonly models: { readonly challenger: string; readonly champion: string };
  }): Promise<Decided>;
  close(): Promise<void>;
}

/** How a simulated hospital retrains. Both rules are those of retraining and promotion: whoever starts a simulation gives them. */
export interface Retraining {
  /** Models that retrainings bring, in turns; the one that serves is passed over. */
  readonly challengers: readonly string[];
  /** What starts a retraining on that evening; undefined: nothing. */
  readonly due: (evening: Evening) => Due | undefined;
  /** @param champion the model that serves on the first day */
  readonly hospital: (champion: string) => Promise<Promotions>;
}

/** A model on a number of scans whose truth is known. */
export interface Truth {
  /** As promotion counts it: a refused scan is the worst answer there could be. Null where a class is missing. */
  readonly auc: number | null;
  /** Share of right labels among the scans that it answered; null where it answered none. */
  readonly accuracy: number | null;
  readonly refused: number;
}

/**
 * What a decision was worth, by the scans that came after it: `right` is a promotion to an AUC that is not lower, and a
 * champion kept whose AUC is not lower; `wrong` a promotion to a lower one; `missed` a champion kept although the
 * challenger's was higher, because that was not shown. Null where a class is missing among them.
 */
export type Worth = "right" | "wrong" | "missed" | null;

/** A retraining of a simulated life. */
export interface SimulatedRetraining extends Due, Omit<Decided, "reason"> {
  readonly day: number;
  readonly champion: string;
  readonly challenger: string;
  /** Why it was promoted or not, a sentence. */
  readonly decision: string;
  /** Scans that the two were compared on, and those of them that came since the first day. */
  readonly test: { readonly scans: number; readonly came: number };
  /** Both models on all scans that came after, until the end of the life. */
  readonly after: { readonly scans: number; readonly champion: Truth; readonly challenger: Truth };
  readonly worth: Worth;
}

/** One model's answer, with what is true. */
export interface KnownAnswer {
  readonly label: "Cancer" | "Non-Cancer";
  readonly probability: number;
  readonly refused: boolean;
}

export function truthOf(answers: readonly KnownAnswer[], threshold: number): Truth {
  const value = auc({
    labels: Uint8Array.from(answers, ({ label }) => (label === "Cancer" ? 1 : 0)),
    probabilities: Float64Array.from(answers, ({ label, probability, refused }) =>
      refused ? (label === "Cancer" ? -1 : 2) : probability,
    ),
    groups: answers.map((_, i) => `${i}`),
  });
  const answered = answers.filter(({ refused }) => !refused);
  const right = answered.filter(({ label, probability }) => labelOf(probability, threshold) === label).length;
  return {
    auc: "value" in value ? value.value : null,
    accuracy: answered.length > 0 ? right / answered.length : null,
    refused: answers.length - answered.length,
  };
}

export function worthOf(promoted: boolean, challenger: Truth, champion: Truth): Worth {
  if (challenger.auc === null || champion.auc === null) return null;
  if (promoted) return challenger.auc >= champion.auc ? "right" : "wrong";
  return challenger.auc <= champion.auc ? "right" : "missed";
}
