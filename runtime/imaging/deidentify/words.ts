/**
 * Words of descriptions that name nobody: parts of the body, makers and families of scanners, and how it was scanned. What
 * stands in no list is taken out; and so is a word of these that the file gives as somebody's name.
 */
const WORDS: ReadonlySet<string> = new Set(
  `
  abdomen brain breast cerebellum cervix chest cspine ctspine ear extremity eye face head headneck heart iac
  intracranial jaw knee leg liver lspine neck neckchest orbit pelvis pituitary prostate sella shoulder sinus skull
  spine tlspine tmj tspine wholebody

  achieva aera altea ambition amira aperto architect artist avanto biograph bruker canon centurian cima discovery
  echelon elan elition esaote espree essenza excite explorer fit fonar fortian free fujifilm galan ge genesis
  gyroscan harmony hdx hdxt healthcare healthineers hero hitachi hyperfine imaging impact ingenia intera lumina
  magnetom max medical mmr multiva neusoft oasis optima orian panorama paramed philips pioneer premier prisma
  prodiva sempra siemens signa skyra sola sonata spectra star swoop symphony systems terra titan toshiba trillium
  trio triotim uih umr united vantage verio vida voyager

  3plane 3planes aca acq acquired acquisition adc add adult amplitude anat anatomical anatomy angio angiography ant
  anterior arterial artery asl asymmetric atlas auto average averaged avg axial b0 background base bilateral blade
  blood bold both bottom brainlab brainstem bravo calibration calvarial cavernous cbf cbv cerebellar cerebral
  cerebrum cervical cest child ciss clinical coil combined compressed contrast contrasted control cor coronal corpus
  corrected correction cortex cortical cranial cranium csf cube cut dark default delayed delta derived diff
  diffusion dir distortion dixon dsc dti dual dw dwi dynamic e1 e2 echo echoes eddy edge elliptical enh enhanced
  enhancement epi eswan exam examination exp exponential fa fast fat fatsat feed ffe fid field fiesta fine flair
  flash flow fluid fmri followup fov frame frames frontal full functional fusion gad gado gadolinium gd general
  glioma gradient grase gre grey group haste hemisphere high hippocampal hippocampus hires hr hybrid hydrogen image
  images inflow initial inner intensity inversion ir iso isotropic lateral lava left legacy lesion line loc
  localiser localizer long low lower lt magnetic magnetisation magnetization magnitude main map maps mask matrix
  maximum mean medial median medulla meningioma merge mid middle midline min minimum minip mip mixed moco mode
  motion mp mp2rage mpr mprage mr mra mri mrs mrv mtt multi multiband multiecho multislice native navigation
  navigator nerve neuro neurological noise nonfatsat normal number oblique occipital opposed optic orbital orbits
  original other out outer overview parallel parietal part partial pass pca pd pdw perfusion phase planar plane
  planning plus pons post postcontrast posterior postop pre precontrast preop primary pro processed processing
  propeller prospective protocol proton pulse quick quiet rad radial ramp ratio raw rbv rcbf rcbv readout real recon
  reconstructed reconstruction reference reformat reformatted registered registration relaxation repeat repeated
  resolution resolve resting restore right rot rotated routine rt sag sagittal sat saturation save scan scanner
  scans scout screening se secondary section segmentation segmented sellar sense sequence series shift short shot
  shoulders signal single sinuses slab slice slices small smart soft space spair spectroscopy spectrum spgr spin
  spinal spir split spoiled standard static stationary std stem stir structural structure study sub subtracted
  subtraction suppressed suppression surface survey susceptibility swan swap swi swip t1 t1ce t1gd t1w t1wi t2 t2w
  t2wi target te technique temporal tensor test tfe tfl thalamus thick thin thrive ti time tir tirm tissue tof tone
  top total tr tra trace tracew trans transversal transverse tse ttp tumor tumour turbo twist uncorrected unenhanced
  upper vein venography venous ventricle ventricles ventricular vertex vessel vibe view vista volume volumetric
  water weighted weighting whole width wip with without xyz zoom
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
