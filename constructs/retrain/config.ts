import { z } from "zod";
import { RETRAIN_DEFAULTS, samePersonList } from "../../runtime/retrain/contract";
import { linePart } from "../core/hospital-line";

/** In place of times: nothing starts by itself. */
export const NEVER = "none";

const days = (what: string, most: number) => z.int().min(0).max(most).optional().describe(what);

/** `retraining` of a hospital's line. */
export const retrainLine = linePart({
  schema: z.strictObject({
    enabled: z.boolean().optional().describe("true or false"),
    schedule: z
      .string()
      .regex(/^(?:none|(?:[0-9*,/-]+ ){4}[0-9*,/-]+)$/)
      .optional()
      .describe(`five fields of cron such as 0 5 * * *, in UTC; or ${NEVER}`),
    everyDays: days("a whole number of days from 0 to 3650", 3650),
    newScans: days("a whole number from 0 to 1000000000", 1_000_000_000),
    onAlarm: z.boolean().optional().describe("true or false"),
    learnFromFeedback: z.boolean().optional().describe("true or false"),
    samePerson: samePersonList.optional().describe("lists of two or more e-mail addresses each"),
  }),
  purpose: {
    enabled: "Whether there is a workflow that retrains. It needs the training machine.",
    schedule: "When it is looked whether a retraining is due, and one started that is. `none`: a person starts each.",
    everyDays: "Days after the last retraining after which the next is due; 0: time alone is no reason.",
    newScans: "New labelled scans after which a retraining is due; 0: they are no reason.",
    onAlarm: "Whether an alarm of monitoring makes a retraining due.",
    learnFromFeedback:
      "Whether the hospital consents to training on scans on whose label two people agree, or that an administrator confirmed. `false` also takes out what was learnt so before.",
    samePerson: "Addresses that belong to one person each: two of them are no two people who agree.",
  },
  defaults: {
    prod: {
      enabled: true,
      schedule: "0 5 * * *",
      ...RETRAIN_DEFAULTS,
      onAlarm: true,
      learnFromFeedback: false,
      samePerson: [],
    },
    test: {
      enabled: true,
      schedule: "0 5 * * *",
      ...RETRAIN_DEFAULTS,
      onAlarm: true,
      learnFromFeedback: false,
      samePerson: [],
    },
    ephemeral: {
      enabled: false,
      schedule: NEVER,
      ...RETRAIN_DEFAULTS,
      onAlarm: true,
      learnFromFeedback: false,
      samePerson: [],
    },
  },
});
