/**
 * Words descriptions that name nobody: of scanners and their makers, of the head, of how it was scanned. None is one that
 * is often a name. What is in no list is taken out.
 */
const WORDS: ReadonlySet<string> = new Set(
  `
  3plane 3planes aca acq acquired acquisition adc add adult amplitude anat anatomical anatomy angio angiography ant anterior
  arterial artery asl asymmetric atlas auto average averaged avg axial b0 background base bilateral blade blood bold both bottom brain
  brainlab brainstem brainstorm bravo calibration calvarial cavernous cbf cbv cerebellar cerebellum cerebral cerebrum cervical cest chest child ciss
  clinical coil combined compressed contrast contrasted control cor coronal correction corrected corpus cortex cortical cranial cranium csf
  cspine cube cut dark default delayed delta derived diff diffusion dir distortion dixon dsc dti dual dw dwi dynamic e1 e2 ear echo echoes
  eddy edge elliptical enh enhanced enhancement epi eswan exam examination exp exponential fa fast fat fatsat feed ffe fid field fiesta film fine flair flash
  flow fluid fmri followup fov frame frames free frontal full functional fused fusion gad gadolinium gado gd general glioma gradient grase gre
  grey group haste head headneck heart hemisphere high hippocampal hippocampus hires hr hybrid hydrogen iac image images imaging in
  inflow initial inner intensity intracranial inversion ir iso isotropic jaw knee lateral lava left legacy lesion line liver loc localiser localizer
  long low lower lspine lt magnetic magnetisation magnetization magnitude main map maps mask matrix max maximum mean medial median medic medulla
  meningioma merge mid middle midline min minimum minip mip mixed mode moco motion mp mpr mprage mp2rage mr mra mri mrs mrv mtt multi multiband
  multiecho multislice native navigation navigator neck neuro neurological nerve noise non none nonfatsat normal number oblique occipital of on
  opposed optic orbit orbital orbits original other out outer overview parallel parietal part partial pass pca pd pdw pelvis perfusion phase pituitary
  planar plane planning plus pons post postcontrast postop posterior pre precontrast preop primary pro processed processing propeller prospective
  prostate protocol proton pulse quick quiet rad radial ramp ratio raw rbv rcbf rcbv readout real recon reconstructed reconstruction reference reformat
  reformatted registered registration relaxation repeat repeated resolution resolve resting restore right rot rotated routine rt sag
  sagittal sat saturation save scan scanner scans scout screening se secondary section segmentation segmented sella sellar sense sequence series shift short shoulder shot
  shoulders signal single sinus sinuses skull slab slice slices small smart soft space spair spectroscopy spectrum spgr spin spine spinal spir split spoiled
  standard star static stationary std stem stir structural structure study sub subtracted subtraction suppressed suppression surface survey
  susceptibility swan swi swip swap t1 t1ce t1gd t1w t1wi t2 t2w t2wi target te technique temporal tensor test tfe tfl thalamus thick thin thrive ti time tir tirm tissue tof tone
  top total tr trace tracew trans transversal transverse tra tse tspine ttp tumor tumour turbo twist type uncorrected unenhanced upper vein venography
  venous ventricle ventricles ventricular vertex vessel vibe view vista volume volumetric water weighted weighting whole wholebody width wip with without xyz zoom
  abdomen breast cervix ctspine extremity eye face leg neckchest tlspine tmj
  bruker canon esaote fonar fujifilm ge healthcare healthineers hitachi hyperfine imaging medical neusoft paramed philips siemens systems toshiba uih united
  achieva aera altea ambition amira aperto architect avanto biograph mmr centurian cima discovery echelon elan elition espree essenza fortian
  galan genesis gyroscan impact ingenia intera lumina magnetom multiva oasis optima orian panorama premier prisma prodiva sempra
  signa skyra sola sonata spectra swoop symphony terra titan trillium trio triotim vantage verio vida voyager umr excite hdx hdxt
  `
    .trim()
    .split(/\s+/),
);

/** Sizes, b-values, accelerations and numbers of a scanner's model: none has more than four digits. */
const MEASURES = [
  /^\d{1,3}(mm|ms|deg|min|sec|t|d|slices?|dir|dirs)$/,
  /^(b|te|tr|ti|fa)\d{1,4}$/,
  /^(p|s|x|e)\d{1,2}$/,
  /^mr\d{3}w?$/,
  /^umr\d{3}$/,
];

const isHarmless = (word: string) => WORDS.has(word) || MEASURES.some((measure) => measure.test(word));

/** The words of a text that name nobody, in their order and with a space between them; empty if there are none. */
export function harmlessWords(text: string): string {
  return text
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter((word) => isHarmless(word.toLowerCase()))
    .join(" ");
}
