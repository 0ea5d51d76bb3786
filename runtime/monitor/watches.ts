/** What is watched. Each rings for itself. */
export const WATCHES = ["input", "prediction", "feedback"] as const;
export type WatchName = (typeof WATCHES)[number];

/**
 * Days: the mean time to a false alarm is at least that, so a month of 30 days has at most .15 + .1 + .2 = .45 of them, at
 * any number of scans a day.
 */
export const PATIENCE: Readonly<Record<WatchName, number>> = { input: 200, prediction: 300, feedback: 150 };

/** What an alarm means, and what a person does about it. */
export const ADVICE: Readonly<Record<WatchName, string>> = {
  input:
    "The scans come otherwise than those the model was tested on. Look at the scans it names; ask what changed at the scanner, in the export or among the patients; until that is known, have a person read what the model says.",
  prediction:
    "The model finds Cancer more or less often than among the scans it was tested on. Ask whether other patients are sent; if not, compare its answers of these days with the reports.",
  feedback:
    "People contradict the model more than its test scans did. Read the contradicted answers; if they are right, take the model back: npm run models -- rollback.",
};
