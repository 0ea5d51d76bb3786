/**
 * What may be kept of texts that people type in, by closed lists: a name that stands where it does not belong is in none
 * of them.
 */

/**
 * What stands in the place of a patient's id where nobody is named. Hundreds of people may share one of these: it makes
 * strangers one patient, and of all their scans one group. What has a number behind it (ANON12) tells one from another.
 */
const PLACEHOLDERS: ReadonlySet<string> = new Set(
  (
    "ANON ANONYM ANONYME ANONYMISE ANONYMISED ANONYMIZED ANONYMISIERT ANONYMOUS ANONYMOUSPATIENT DEFAULT DEIDENTIFIED DUMMY EMPTY ID MISSING MRN NA " +
    "NAME NEW NIL NN NO NOID NOMBRE NONE NOPATIENTID NOTAVAILABLE NOTKNOWN NULL PATIENT PATIENTID PHANTOM PID QA QC REMOVED SCRUBBED SERVICE SUBJECT " +
    "TEMP TEST TESTPATIENT UNDEFINED UNKNOWN UNBEKANNT UNSPECIFIED VOLUNTEER"
  ).split(" "),
);

/** A patient's id; undefined where it is none but one of the words, signs alone, or one sign over and over (0000, XXXX). */
export function patientIdOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const bare = text.toUpperCase().replace(/[^\p{L}\p{N}]/gu, "");
  const isOneSign = /^0*$|^(.)\1{2,}$/u.test(bare) || /^X+$/.test(bare);
  return isOneSign || PLACEHOLDERS.has(bare) ? undefined : text;
}

/** DICOM PS3.16, annex L, of the head and what is scanned with it. */
const BODY_PARTS: ReadonlySet<string> = new Set(
  (
    "ABDOMEN BRAIN BREAST CEREBELLUM CERVIX CHEST CSPINE CTSPINE EAR EXTREMITY EYE FACE HEAD HEADNECK HEART IAC INTRACRANIAL JAW KNEE " +
    "LSPINE LEG LIVER NECK NECKCHEST ORBIT PELVIS PITUITARY PROSTATE SELLA SHOULDER SINUS SKULL SPINE TLSPINE TMJ TSPINE WHOLEBODY"
  ).split(" "),
);

/** As in "Head/Neck" or "head and neck". */
export function bodyPartOf(text: string | undefined): string | undefined {
  const term = text?.toUpperCase().replace(/[^A-Z]/g, "");
  return term !== undefined && BODY_PARTS.has(term) ? term : undefined;
}

/** By a word of the name: companies were bought and renamed. */
const MANUFACTURERS: readonly (readonly [word: string, name: string])[] = [
  ["SIEMENS", "Siemens"],
  ["GE", "GE"],
  ["PHILIPS", "Philips"],
  ["CANON", "Canon"],
  ["TOSHIBA", "Toshiba"],
  ["HITACHI", "Hitachi"],
  ["FUJIFILM", "Fujifilm"],
  ["UIH", "United Imaging"],
  ["UNITED", "United Imaging"],
  ["BRUKER", "Bruker"],
  ["ESAOTE", "Esaote"],
  ["HYPERFINE", "Hyperfine"],
  ["NEUSOFT", "Neusoft"],
  ["PARAMED", "Paramed"],
  ["FONAR", "Fonar"],
];

export function manufacturerOf(text: string | undefined): string | undefined {
  const words = text?.toUpperCase().split(/[^A-Z]+/) ?? [];
  return MANUFACTURERS.find(([word]) => words.includes(word))?.[1];
}

/** Families of scanners. What a hospital calls a machine of its own is not among them. */
const MODELS: readonly string[] = (
  "Achieva Aera Altea Ambition Amira Aperto Architect Artist Avanto Biograph_mMR Centurian Cima Discovery Echelon Elan Elition Espree " +
  "Essenza Explorer Fit Fortian Free.Max Free.Star Galan GENESIS_SIGNA Gyroscan Harmony Hero Impact Ingenia Intera Lumina Multiva Oasis Optima Orian " +
  "Panorama Pioneer Premier Prisma Prodiva Sempra SIGNA Skyra Sola Sonata Spectra Swoop Symphony Terra Titan Trillium Trio TrioTim Vantage " +
  "Verio Vida Voyager uMR"
).split(" ");

const bare = (text: string) => text.toLowerCase().replace(/[^a-z0-9.]+/g, " ");

/** The families that a model's name names, as in "SIGNA Artist". */
export function modelOf(text: string | undefined): string | undefined {
  const words = bare(text ?? "").split(" ");
  const named = MODELS.filter((model) => {
    const parts = bare(model).split(" ");
    return parts.every((part) => words.some((word) => word === part || (part === "umr" && /^umr\d*$/.test(word))));
  });
  const longest = named.filter((model) => !named.some((other) => other !== model && bare(other).includes(bare(model))));
  return longest.sort((a, b) => words.indexOf(bare(a)) - words.indexOf(bare(b))).join(" ") || undefined;
}

/** Acquisition Contrast, PS3.3, C.8.13.3.1. */
const CONTRASTS: Readonly<Record<string, string>> = {
  DIFFUSION: "DWI",
  FLOW_ENCODED: "flow",
  FLUID_ATTENUATED: "FLAIR",
  PERFUSION: "perfusion",
  PROTON_DENSITY: "PD",
  STIR: "STIR",
  TAGGING: "tagging",
  T1: "T1",
  T2: "T2",
  T2_STAR: "T2*",
  TOF: "TOF",
};

/** A contrast as it begins a word, or stands behind what else is written before it: T1, axT2, sT1W, 3DT2. */
const weighting = (contrast: string) => new RegExp(`\\b(?:ax|sag|cor|tra|[23]d|s|e)?${contrast}`);

/** Words of Series Description and Protocol Name that say how was scanned, the more telling first. */
const WORDS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/flair|dark.?fluid/, "FLAIR"],
  [/\badc\b/, "ADC"],
  [/dwi|diffusion|\bep2d diff/, "DWI"],
  [/\bswi\b|swan/, "SWI"],
  [/\btof\b/, "TOF"],
  [/stir/, "STIR"],
  [/perfusion|\bperf\b|\bdsc\b|\basl\b/, "perfusion"],
  [/t2\s*(\*|star)/, "T2*"],
  [weighting("t1"), "T1"],
  [/mprage|bravo/, "T1"],
  [weighting("t2"), "T2"],
  [/\bpd\b/, "PD"],
];

/** Scanning Sequence, PS3.3, C.8.3.1.1. */
const SCANNING: ReadonlySet<string> = new Set(["SE", "IR", "GR", "EP", "RM"]);

export interface SequenceTexts {
  readonly contrast: string | undefined;
  /** Free texts. */
  readonly descriptions: readonly (string | undefined)[];
  readonly scanning: readonly string[];
}

/** The contrast of a scan where it is said; else how the scanner made it, such as `SE` or `GR IR`. */
export function sequenceOf({ contrast, descriptions, scanning }: SequenceTexts): string | undefined {
  const said = CONTRASTS[contrast ?? ""];
  if (said) return said;
  for (const text of descriptions) {
    const plain = text?.toLowerCase().replaceAll("_", " ") ?? "";
    const word = WORDS.find(([pattern]) => pattern.test(plain));
    if (word) return word[1];
  }
  return scanning.filter((term) => SCANNING.has(term)).join(" ") || undefined;
}
