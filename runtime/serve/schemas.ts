import { z } from "zod";
import { type TrainingCurve, trainingCurveSchema } from "../platform/training-curve";

/**
 * The JSON of every route: the one source of types, validation and `/openapi.json`. It imports nothing of Node, so that
 * the dashboard shares its types. What a response schema does not name is not sent.
 */

/** Says its name in `/openapi.json`, and where else it is described. */
export const named = <S extends z.ZodType>(id: string, schema: S): S => schema.meta({ id }) as S;

const share = z.number().min(0).max(1);
const time = z.iso.datetime().describe("ISO 8601, UTC");
const path = (what: string) => z.string().describe(`Path of ${what} on this server`);
export const modelIdSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{5,62}$/);
const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

/** What is said of a number that is no plain decimal one: `0x1`, `1e0`, ` 1`, nothing, and the same parameter twice. */
const PLAIN_DIGITS = "must be a whole number in plain digits, given once";
/** A whole number of a query. JavaScript's own reading of texts takes whatever could be meant. */
const wholeNumber = (least: number, most: number) =>
  z.preprocess(
    (text) => (typeof text === "string" && /^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : text),
    z.int(PLAIN_DIGITS).min(least).max(most),
  );
/** A share of a query. Described as a text, because a number of JSON may be written with an exponent too. */
const shareInQuery = z
  .string("must be given once")
  .regex(/^(0(\.\d{1,20})?|1(\.0{1,20})?)$/, "must be a decimal number from 0 to 1, such as 0.65")
  .transform(Number);

export const labelSchema = z.enum(["Cancer", "Non-Cancer"]);
export const decisionSchema = z.enum(["Cancer", "Non-Cancer", "Uncertain"]);

export const problemSchema = named(
  "Problem",
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int().describe("The HTTP status"),
    detail: z.string().describe("What happened and what to do, for a person"),
    code: z.string().describe("Stable"),
    request: z.string().describe("Names the request in the server's log"),
  }),
);
export type ProblemDocument = z.infer<typeof problemSchema>;

export const verdictAnswerSchema = named(
  "Verdict",
  z.object({
    fit: z.boolean().describe("Whether no reason against using the model was found. Never leave for diagnosis."),
    sentence: z.string().describe("All of it for a person, the reasons included"),
    reasons: z.array(z.string()).readonly().describe("Stable codes; empty where fit is true, and only there"),
  }),
);

export const bandSchema = z.object({ low: share, high: share });

/** What one page of the scan contributed. */
export const sliceSchema = named(
  "Slice",
  z.object({
    page: z.int().min(1),
    probability: share.describe("Of Cancer, calibrated"),
    sha256: hex64.describe("Of the page's decoded grey pixels and their size"),
    width: z.int().describe("Pixels"),
    height: z.int().describe("Pixels"),
    depth: z.union([z.literal(8), z.literal(16)]).describe("Bits a pixel"),
    pixels: path("the page as a lossless grey PNG of that depth"),
  }),
);
export type Slice = z.infer<typeof sliceSchema>;

export const reportFormatSchema = z
  .enum(["fhir", "sr", "sc", "hl7"])
  .describe("FHIR R4, DICOM structured report, DICOM secondary capture of the overlay, HL7 v2");
export type ReportFormat = z.infer<typeof reportFormatSchema>;

const pseudonym = z
  .string()
  .regex(/^2\.25\.[0-9]{1,39}$/)
  .describe("A UID that stands for the file's own");

/** What one model says of a study that landed, as `score` wrote it down. */
export const studyAnswerSchema = named(
  "StudyAnswer",
  z.object({
    study: pseudonym,
    revision: z.int().min(1).describe("A later one knows more slices, or comes from another model"),
    answered_at: time,
    model: z.string(),
    model_sha256: z.string(),
    recipe: z.string(),
    synthetic: z.boolean(),
    verdict: verdictAnswerSchema.describe("Of the model, by its slices"),
    disclaimer: z.string(),
    threshold: share.describe("Of slices"),
    uncertain: bandSchema.nullable(),
    whole: z
      .union([
        z.object({
          probability: share,
          decision: labelSchema,
          threshold: share,
          rule: z.string().describe("How it follows from the slices"),
          verdict: verdictAnswerSchema,
        }),
        z.object({ reason: z.string() }),
      ])
      .describe("The study's own answer; or why there is none, a sentence"),
    pictures: z.string().describe("Names the slices, whatever model answered them"),
    slices: z
      .array(
        z.object({
          instance: pseudonym,
          series: pseudonym,
          page: z.int().min(1).describe("Frame of the instance, from 1"),
          sequence: z.string().nullable(),
          view: z.string().nullable(),
          sha256: z.string(),
          probability: share,
          decision: decisionSchema,
        }),
      )
      .describe("The most suspicious first"),
    peak: z.object({ x: z.int(), y: z.int() }).describe("Strongest place in the first of them, pixels"),
    overlay: path("a PNG: the first of them with the places that speak for Cancer").nullable(),
  }),
);
export type StudyAnswer = z.infer<typeof studyAnswerSchema>;

/** What is needed to give an answer again. */
export const receiptSchema = named(
  "Receipt",
  z.object({
    request: z.string().describe("npm run replay -- REQUEST takes it"),
    model: z.string(),
    model_sha256: hex64.describe("Of the model's metadata.json, which holds the hashes of its other files"),
    recipe: z.string(),
    file_sha256: hex64.describe("Of the bytes that were sent"),
    pages: z.array(z.object({ page: z.int(), sha256: hex64 })).describe("Pages that were answered, in their order"),
    answered_at: time,
    kept_until: time.describe("Until then the answer can be given again; later nothing is left of the pixels"),
    leaf: hex64
      .optional()
      .describe(
        "Of the answer in the audit log, RFC 6962: npm run audit -- proof REQUEST gives its place once it is sealed",
      ),
  }),
);
export type Receipt = z.infer<typeof receiptSchema>;

const prevalenceSchema = z.object({
  assumed: share
    .nullable()
    .describe(
      "Share of Cancer that probability assumes, that of the validation images; null: the model does not record it",
    ),
  local: z
    .object({
      prevalence: share.describe("Share of Cancer that the hospital states"),
      probability: share.describe("Of Cancer, were that so: the log odds moved by the difference"),
      threshold: share.describe("The threshold moved by as much: label and decision are the same"),
    })
    .nullable()
    .describe("The answer restated for the share of Cancer that the hospital states; null: it states none"),
});
const pinnedSchema = z
  .boolean()
  .optional()
  .describe("True: by a process that is bound to this model, as a canary's is, whichever model is current");

/** The answer to `POST /v1/predictions`. */
export const predictionSchema = named(
  "Prediction",
  z.object({
    request: z.string().describe("Of this answer alone"),
    id: hex64.describe("The same image under the same model has the same id; paths take it"),
    verdict: verdictAnswerSchema.describe("Whether the model is fit for use: read it before the rest"),
    model: z.string(),
    pinned: pinnedSchema,
    recipe: z.string(),
    probability: share.describe("Of Cancer: that of the most suspicious page"),
    label: labelSchema,
    decision: decisionSchema.describe("The label, or Uncertain where the probability lies within the model's band"),
    uncertain: bandSchema.nullable().describe("Decisions from low to high are Uncertain; null: the model has no band"),
    threshold: share.describe("Probability from which the label is Cancer"),
    prevalence: prevalenceSchema
      .optional()
      .describe("How frequent Cancer is taken to be; an answer that an earlier program gave does not say"),
    overlay: path("a PNG: the page with the places that speak for Cancer; ?opacity= from 0 to 1"),
    original: path("a PNG: the page as it was read, 8 bits, at most 1,024 pixels wide and high"),
    disclaimer: z.string(),
    page: z.int().min(1).describe("The page that the answer is about: the most suspicious one, from 1"),
    pages: z.int().min(1).describe("Pages that were answered"),
    rejected_pages: z
      .array(z.object({ page: z.int(), code: z.string(), detail: z.string() }))
      .describe("Pages of the file that could not be used"),
    width: z.int().describe("Of that page, pixels"),
    height: z.int().describe("Of that page, pixels"),
    peak: z.object({ x: z.int(), y: z.int() }).describe("Strongest place for Cancer, pixels of that page"),
    synthetic: z.boolean().describe("The model was trained on drawn phantoms only"),
    slices: z.array(sliceSchema).describe("Every page that was answered, in the order of the file"),
    map: z
      .object({ path: path("the map as JSON"), page: z.int(), rows: z.int(), columns: z.int() })
      .describe("Where the model looked on the most suspicious page"),
    pictures: z.object({
      overlay: path("the overlay"),
      original: path("the page as it was read"),
      seen: path("what the model saw: 128 x 128 pixels, a PNG"),
    }),
    reports: z
      .array(z.object({ format: reportFormatSchema, path: path("the answer in that format") }))
      .optional()
      .describe("For other systems; DICOM (sr, sc) where the scan was one that says its study"),
    study: z
      .object({ study: pseudonym, series: pseudonym, instance: pseudonym })
      .optional()
      .describe("Where the scan was a DICOM that says it: /v1/studies/{study} has the study's answer once it landed"),
    receipt: receiptSchema,
  }),
);
export type Prediction = z.infer<typeof predictionSchema>;

/** `GET /v1/predictions/{id}/overlay` */
export const overlayQuerySchema = z.object({
  opacity: shareInQuery.optional().describe("Of the strongest place, a decimal number from 0 to 1; 0.65 without it"),
});
/** `GET /v1/scans/{id}/picture` */
export const pictureQuerySchema = z.object({ page: wholeNumber(1, 99_999).optional() });

/** `GET /v1/predictions/{id}/report` */
export const reportQuerySchema = z.object({ format: reportFormatSchema });

/** `GET /v1/predictions/{id}/similar` */
export const similarQuerySchema = z.object({ limit: wholeNumber(1, 50).default(8) });

/** `GET /v1/predictions/{id}/map` */
export const mapSchema = named(
  "SaliencyMap",
  z.object({
    page: z.int(),
    rows: z.int(),
    columns: z.int(),
    values: z
      .array(z.number())
      .describe("Grad-CAM on the layer's grid, row by row; above 0 speaks for Cancer, below 0 against it"),
    square: z
      .object({ x: z.number(), y: z.number(), side: z.number() })
      .describe("The square of the page that the grid covers, pixels; it may reach beyond the page"),
    foreground: z
      .object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() })
      .describe("The part of the page that the model was shown, pixels: nothing is drawn outside"),
    peak: z.object({ x: z.int(), y: z.int() }),
    width: z.int().describe("Of the page, pixels"),
    height: z.int().describe("Of the page, pixels"),
  }),
);
export type SaliencyMap = z.infer<typeof mapSchema>;

/** One file of a batch. */
export const batchItemSchema = named(
  "BatchItem",
  z.object({
    name: z.string().describe("The file's name in the form, or its number where it has none"),
    status: z.int().describe("What it would have got on its own: 200, or a problem's status"),
    prediction: predictionSchema.optional(),
    problem: problemSchema.optional(),
  }),
);
/** The answer to `POST /v1/predictions/batch`: in the order of the form. */
export const batchSchema = named("Batch", z.object({ items: z.array(batchItemSchema), disclaimer: z.string() }));
export type BatchItem = z.infer<typeof batchItemSchema>;
export type Batch = z.infer<typeof batchSchema>;

const dayOrTime = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);
const limitSchema = wholeNumber(1, 200).default(50);
const cursorSchema = z
  .string()
  .regex(/^\d{13}-[0-9a-f-]{36}$/)
  .optional()
  .describe("next of the page before");

/** A line of the history. */
export const historyItemSchema = named(
  "HistoryItem",
  z.object({
    request: z.string(),
    id: hex64,
    model: z.string(),
    probability: share,
    label: labelSchema,
    decision: decisionSchema,
    threshold: share,
    page: z.int(),
    pages: z.int(),
    answered_at: time,
    who: z.string().describe("Who asked"),
    study: pseudonym.optional(),
    kept: z.boolean().describe("Whether its days are not over, so that it can be opened"),
    pinned: pinnedSchema,
  }),
);
export type HistoryItem = z.infer<typeof historyItemSchema>;
/** The answer to `GET /v1/predictions`: the newest first. */
export const historySchema = named(
  "History",
  z.object({
    items: z.array(historyItemSchema),
    next: z.string().nullable().describe("The cursor of the next page; null where there is none"),
    disclaimer: z.string(),
  }),
);
export type History = z.infer<typeof historySchema>;
export const historyQuerySchema = z.object({
  limit: limitSchema,
  cursor: cursorSchema,
  decision: decisionSchema.optional(),
  model: z.string().min(1).max(63).optional(),
  id: z
    .string()
    .regex(/^[0-9a-f]{1,64}$/)
    .optional()
    .describe("The beginning of an id"),
  from: dayOrTime.optional().describe("Not before: a date or a time"),
  to: dayOrTime.optional().describe("Before: a date or a time"),
});

/** Why a person should look at an answer. */
export const workReasonSchema = named(
  "WorkReason",
  z.object({
    code: z
      .enum(["contradicted", "drift", "neighbours", "uncertain"])
      .describe(
        "People contradict each other; it drove an alarm of monitoring; similar scans are labelled otherwise; the model is undecided",
      ),
    sentence: z.string(),
  }),
);
export type WorkReason = z.infer<typeof workReasonSchema>;
/** A line of the worklist. */
export const workItemSchema = named(
  "WorkItem",
  z.object({ ...historyItemSchema.shape, reasons: z.array(workReasonSchema).describe("The weightiest first") }),
);
export type WorkItem = z.infer<typeof workItemSchema>;
/** The answer to `GET /v1/worklist`: what to look at first comes first. */
export const worklistSchema = named(
  "Worklist",
  z.object({
    items: z.array(workItemSchema),
    more: z.int().describe("Answers that would follow"),
    looked_at: z.int().describe("Pictures among the newest answers"),
    complete: z.boolean().describe("Whether there are no older answers, which were not looked at"),
    disclaimer: z.string(),
  }),
);
export type Worklist = z.infer<typeof worklistSchema>;
export const worklistQuerySchema = z.object({ limit: limitSchema });

/** No NUL, which ends texts elsewhere, and nothing else that a terminal or a table would act on. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused, and \p{Cc} is unknown to others who read the document.
const NO_CONTROL = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$/;
/** UTF-8 has no halves of surrogate pairs, so that no table can keep one. */
const HALF = /\p{Cs}/u;

export const feedbackLabelSchema = z.enum([...labelSchema.options, "Withdrawn"]);

/** Body of `POST /v1/predictions/{id}/feedback` */
export const feedbackBodySchema = named(
  "FeedbackGiven",
  z.strictObject({
    label: feedbackLabelSchema.describe("What a person holds the scan for; Withdrawn takes back what he said before"),
    confirm: z
      .boolean()
      .optional()
      .describe("An administrator confirms the label: it may be learnt from without a second person. Others: 403"),
    comment: z
      .string()
      .max(2000)
      .regex(NO_CONTROL, "must be text: it holds a control character")
      .refine((text) => !HALF.test(text), "must be text: it holds half of a character")
      .optional()
      .describe("Without control characters other than tabs and line breaks"),
  }),
);
export type FeedbackGiven = z.infer<typeof feedbackBodySchema>;
export const feedbackSchema = named(
  "Feedback",
  z.object({
    feedback: z.string().describe("Names this feedback"),
    request: z.string().describe("Of the answer that it is about"),
    id: hex64,
    label: feedbackLabelSchema,
    agrees: z
      .boolean()
      .nullable()
      .describe("Whether it is what the model said: its label; null where it was withdrawn"),
    comment: z.string().nullable(),
    who: z.string(),
    given_at: time,
    supersedes: z.string().nullable().describe("The feedback of the same person on this answer before"),
    scope: z
      .literal("study")
      .optional()
      .describe("Said of the whole study, by its accession number: Cancer then says of no slice that it shows one"),
    confirmed: z.literal(true).optional().describe("Confirmed by an administrator"),
  }),
);
export type Feedback = z.infer<typeof feedbackSchema>;
/** `GET /v1/predictions/{id}/feedback`: the newest first. */
export const feedbackListSchema = named("FeedbackList", z.object({ items: z.array(feedbackSchema) }));
export type FeedbackList = z.infer<typeof feedbackListSchema>;

/** `GET /v1/feedback`: on all answers, the newest first; superseded ones are among them. */
export const feedbackPageSchema = named(
  "FeedbackPage",
  z.object({ items: z.array(feedbackSchema), next: z.string().nullable() }),
);
export type FeedbackPage = z.infer<typeof feedbackPageSchema>;
export const feedbackQuerySchema = z.object({
  limit: limitSchema,
  cursor: cursorSchema,
  agrees: z.enum(["true", "false"]).optional().describe("Only what agrees with the model, or does not"),
});

/** `GET /v1/model`: the one that answers now. */
export const modelSchema = named(
  "Model",
  z.object({
    id: z.string(),
    verdict: verdictAnswerSchema,
    recipe: z.string(),
    threshold: share,
    uncertain: bandSchema.nullable(),
    guard: z.boolean().describe("Whether it refuses what is no brain scan"),
    parameters: z.int(),
    synthetic: z.boolean(),
    pinned: z.boolean().describe("Whether this process is bound to it, whichever model is current"),
    shadow: z
      .object({
        model: z.string().nullable().describe("Null while it cannot be used"),
        problem: z.string().nullable().describe("Why not"),
        compared: z.int(),
        dropped: z.int().describe("Not looked at, because answers go first"),
        failed: z.int(),
      })
      .nullable()
      .describe("The model that is asked beside it for comparison, and what became of scans since this process began"),
    disclaimer: z.string(),
  }),
);
export type Model = z.infer<typeof modelSchema>;

/** A line of `GET /v1/models`. */
export const modelItemSchema = named(
  "ModelItem",
  z.object({
    id: z.string(),
    current: z.boolean(),
    previous: z.boolean().describe("The one that a rollback returns to"),
    usable: z.boolean().describe("Whether this program can answer with it"),
    problem: z.string().nullable().describe("Why not"),
    verdict: verdictAnswerSchema.nullable().describe("Null where no evaluation is stored"),
    recipe: z.string().nullable(),
    parameters: z.int().nullable(),
    synthetic: z.boolean().nullable(),
    trained_on: z.int().nullable().describe("Images of the training split"),
    test: z
      .object({ n: z.int(), auc: z.number().nullable(), accuracy: z.number().nullable() })
      .nullable()
      .describe("Of its stored evaluation"),
    published_at: time.nullable(),
  }),
);
export type ModelItem = z.infer<typeof modelItemSchema>;
/** `GET /v1/models`: the newest first. */
export const modelListSchema = named(
  "Models",
  z.object({
    items: z.array(modelItemSchema),
    current: z
      .object({ model: z.string(), previous: z.string().nullable(), reason: z.string(), promoted_at: time })
      .nullable(),
    canary: z
      .object({
        candidate: z.string(),
        stable: z.string().describe("What it is compared with"),
        mode: z.enum(["shadow", "traffic"]).describe("Asked beside the stable model, or on a share of the requests"),
        state: z.enum(["starting", "running", "promoted", "rolled-back", "aborted"]),
        share: z.int().describe("Percent of the requests that it was given"),
        started_at: time,
        share_since: time.describe("When the present share began"),
        reason: z.string(),
        judged: z
          .object({
            at: time,
            outcome: z.enum(["advance", "hold", "rollback"]).describe("hold: not yet"),
            findings: z.array(
              z.object({
                clause: z.string().describe("Of the change plan"),
                state: z.enum(["held", "broken", "open"]).describe("held and broken are shown; open: neither is"),
                missing: z.int().nullable().describe("Scans or answers until it is shown; null: nobody can say"),
                sentence: z.string(),
              }),
            ),
          })
          .nullable()
          .describe("What the plan's test said when somebody had it advanced last; null: nobody has"),
        next: z
          .object({ sentence: z.string(), commands: z.array(z.string()) })
          .nullable()
          .describe("What is to be done, and the commands that do it; null: it is over"),
      })
      .nullable()
      .describe("The model that is tried out, or was last"),
  }),
);
export type ModelList = z.infer<typeof modelListSchema>;

/** A measured value with its 95 % interval, or why the data cannot give one. */
export const metricSchema = named(
  "Metric",
  z.union([
    z.object({ value: z.number(), low: z.number(), high: z.number() }),
    z.object({ value: z.null(), reason: z.string() }),
  ]),
);
export type MetricValue = z.infer<typeof metricSchema>;

/**
 * `GET /v1/predictions/{id}/similar`: no near-duplicate is among them, and none of the same patient where the data set knows
 * the scan. Whose a new scan is nobody says: slices of its patient may be among them.
 */
export const similarSchema = named(
  "Similar",
  z.object({
    id: hex64.describe("Of the prediction"),
    model: z.string().describe("By whose features scans are compared: the one that answered"),
    items: z
      .array(
        z.object({
          id: hex64.describe("Of the image of the data set"),
          label: labelSchema.describe("What people hold it for"),
          split: z.enum(["train", "validation", "test"]).nullable().describe("train: the model learnt from it"),
          similarity: z.number().min(-1).max(1).describe("Cosine of the features: 1 is the same to the model"),
          picture: path("the scan: a PNG, for clinicians"),
        }),
      )
      .describe("The nearest first"),
    agreement: z
      .object({
        neighbours: z.int().describe("Nearest scans that were counted"),
        cancer: z.int().describe("How many of them people hold for Cancer"),
        auc: metricSchema
          .nullable()
          .describe("How well their share ranks test images, by neighbours among training images; null: not evaluated"),
      })
      .describe("Evidence beside the answer. A share of cases, and not a probability"),
    known: z.int().describe("Labelled scans that were compared"),
    known_cancer: z.int().describe("How many of them people hold for Cancer"),
    excluded: z.int().describe("Of them, left out: the same picture as the scan, or of the patient of such a picture"),
    complete: z.boolean().describe("Whether all scans of the data set were compared; else a part, drawn by chance"),
    metric: z.string().describe("How"),
    disclaimer: z.string(),
  }),
);
export type Similar = z.infer<typeof similarSchema>;

const metrics = z.object({
  accuracy: metricSchema,
  precision: metricSchema,
  recall: metricSchema,
  specificity: metricSchema,
  f1: metricSchema,
  auc: metricSchema,
  ece: metricSchema,
});
export const measuredSchema = named(
  "Measured",
  z.object({
    n: z.int(),
    groups: z.int(),
    cancer: z.int(),
    nonCancer: z.int(),
    threshold: share,
    ...metrics.shape,
  }),
);
/** What of a stored evaluation is shown and drawn. */
export const evaluationSchema = named(
  "Evaluation",
  z.object({
    verdict: verdictAnswerSchema,
    dataset: z.string().describe("Names the images: evaluations of the same ones can be compared"),
    intervals: z.string(),
    headline: z
      .object({
        sensitivity: metricSchema.describe(
          "Of all tumours the share called Cancer; one that the guard refuses is missed",
        ),
        withoutGuard: metricSchema.describe("The same with the guard left aside: of tumours that have an answer"),
        tumours: z.int(),
        refused: z.int().describe("Of them, by the guard"),
      })
      .optional()
      .describe("The sensitivity that stands first; an earlier program did not tell it"),
    test: measuredSchema,
    validation: measuredSchema.nullable(),
    collections: z.array(z.object({ name: z.string(), ...measuredSchema.shape })),
    baselines: z.array(z.object({ name: z.string(), description: z.string(), auc: metricSchema })),
    confusion: z.object({
      truePositive: z.number(),
      falsePositive: z.number(),
      trueNegative: z.number(),
      falseNegative: z.number(),
    }),
    roc: z.array(
      z.object({ falsePositiveRate: z.number(), truePositiveRate: z.number(), threshold: z.number().nullable() }),
    ),
    precisionRecall: z.array(z.object({ recall: z.number(), precision: z.number(), threshold: z.number() })),
    reliability: z.array(
      z.object({
        from: z.number(),
        to: z.number(),
        count: z.number(),
        predicted: z.number().nullable(),
        observed: z.number().nullable(),
      }),
    ),
    riskCoverage: z.array(z.object({ coverage: z.number(), risk: z.number() })),
  }),
);
export type EvaluationAnswer = z.infer<typeof evaluationSchema>;

const trainingCurveAnswerSchema = named("TrainingCurve", trainingCurveSchema);

export type { TrainingCurve };

/** `GET /v1/models/{id}` */
export const modelDetailSchema = named(
  "ModelDetail",
  z.object({
    ...modelItemSchema.shape,
    threshold: share.nullable(),
    uncertain: bandSchema.nullable(),
    guard: z.boolean().nullable(),
    counts: z.object({ train: z.number(), validation: z.number(), test: z.number() }).nullable(),
    configuration: z.record(z.string(), z.unknown()).nullable().describe("Everything the trainer was told"),
    card: z.string().nullable().describe("The model card with the model's history, Markdown"),
    evaluation: evaluationSchema.nullable().describe("Null where none is stored that this program can read"),
    training: trainingCurveAnswerSchema.nullable(),
    disclaimer: z.string(),
  }),
);
export type ModelDetail = z.infer<typeof modelDetailSchema>;

/** `GET /v1/models/compare?a=&b=` */
export const comparisonSchema = named(
  "Comparison",
  z.object({
    a: modelItemSchema,
    b: modelItemSchema,
    comparable: z.boolean().describe("Whether both were measured on the same test set"),
    metrics: z
      .array(
        z.object({
          name: z.enum(["accuracy", "precision", "recall", "specificity", "f1", "auc", "ece"]),
          a: metricSchema.nullable(),
          b: metricSchema.nullable(),
          difference: z.number().nullable().describe("b less a; null where one is missing or they are not comparable"),
        }),
      )
      .describe("On each model's test set"),
    rule: z
      .object({ promotes: z.boolean(), reason: z.string() })
      .describe("What the change plan's rule says of b taking over from a"),
  }),
);
export type Comparison = z.infer<typeof comparisonSchema>;
export const comparisonQuerySchema = z.object({ a: modelIdSchema, b: modelIdSchema });

/** `POST /v1/models/{id}/promote` and `POST /v1/models/rollback` */
export const promotionSchema = named(
  "Promotion",
  z.object({
    current: z.string().describe("The model that is current now"),
    previous: z.string().nullable(),
    reason: z.string().describe("What decided, as a sentence"),
  }),
);
export type Promotion = z.infer<typeof promotionSchema>;

export const healthSchema = named("Health", z.object({ status: z.literal("ok") }));
export const readySchema = named(
  "Ready",
  z.object({ status: z.literal("ready"), model: z.string(), recipe: z.string() }),
);

/** `GET /v1/me` */
export const callerSchema = named(
  "Caller",
  z.object({ who: z.string().describe("Who asks"), role: z.enum(["viewer", "clinician", "admin"]) }),
);
export type CallerAnswer = z.infer<typeof callerSchema>;

/** `GET /v1/samples` */
export const samplesSchema = named(
  "Samples",
  z.object({
    items: z.array(z.object({ name: z.string(), description: z.string(), path: path("the scan") })),
  }),
);
export type Samples = z.infer<typeof samplesSchema>;

const dicomUid = z.object({ vr: z.literal("UI"), Value: z.array(z.string()) });
const dicomUrl = z.object({ vr: z.literal("UR") }).describe("Empty: nothing can be retrieved here");
const dicomNumber = z.object({ vr: z.literal("US"), Value: z.array(z.int()) });
const sequenceOf = <S extends z.ZodType>(item: S) => z.object({ vr: z.literal("SQ"), Value: z.array(item) });
const referenced = { "00081150": dicomUid, "00081155": dicomUid };

/** DICOM PS3.18, table I.1-1, as DICOM JSON. */
export const storeInstancesSchema = named(
  "StoreInstancesResponse",
  z.object({
    "00081190": dicomUrl,
    "00081199": sequenceOf(z.object({ ...referenced, "00081190": dicomUrl }))
      .optional()
      .describe("Referenced SOP Sequence: what is stored"),
    "00081198": sequenceOf(z.object({ ...referenced, "00081197": dicomNumber }))
      .optional()
      .describe("Failed SOP Sequence: what is not, with the Failure Reason"),
    "0008119A": sequenceOf(z.object({ "00081197": dicomNumber }))
      .optional()
      .describe("Other Failures Sequence: parts whose UIDs cannot be read"),
  }),
);
export type StoreInstancesResponse = z.infer<typeof storeInstancesSchema>;
