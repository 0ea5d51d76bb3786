"""Reads SR with highdicom, secondary captures with pydicom and HL7 v2 with hl7apy: JSON on stdout."""

import json
import sys
from pathlib import Path

import highdicom as hd
import pydicom
from hl7apy.parser import parse_message
from pydicom.sr.codedict import codes


def report(path: str) -> dict:
    document = hd.sr.srread(path)
    (group,) = document.content.get_planar_roi_measurement_groups(graphic_type=hd.sr.GraphicTypeValues.POINT)
    region = group.roi
    (image,) = region.ContentSequence
    (reference,) = image.ReferencedSOPSequence
    algorithm = {
        item.name.meaning: item.value for item in group[0].ContentSequence if item.name.value.startswith("11100")
    }
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    return {
        "class": type(document).__name__,
        "flags": [document.PreliminaryFlag, document.CompletionFlag, document.VerificationFlag],
        "uids": [str(document.SOPInstanceUID), str(document.SeriesInstanceUID)],
        "study": str(document.StudyInstanceUID),
        "patient": document.PatientID,
        "accession": document.AccessionNumber,
        "evidence": [str(study.StudyInstanceUID), str(series.SeriesInstanceUID)],
        "measured": {item.name.value: [float(item.value), item.unit.value] for item in group.get_measurements()},
        "probability": float(group.get_measurements(name=codes.DCM.ProbabilityOfCancer)[0].value),
        "evaluated": {item.name.value: item.value.meaning for item in group.get_qualitative_evaluations()},
        "algorithm": algorithm,
        "point": region.value.tolist(),
        "image": [
            str(reference.ReferencedSOPClassUID),
            str(reference.ReferencedSOPInstanceUID),
            reference.get("ReferencedFrameNumber"),
        ],
        "comments": [item.value for item in document.content[0].ContentSequence if item.name == codes.DCM.Comment],
    }


def capture(path: str) -> dict:
    image = pydicom.dcmread(path)
    (source,) = image.SourceImageSequence
    pixels = image.pixel_array
    frame = hd.imread(path).get_frame(1, apply_icc_profile=False)
    return {
        # Whether highdicom shows the same picture.
        "highdicom": bool((frame == pixels).all()),
        "person": [
            str(image.PatientName),
            image.PatientBirthDate,
            image.StudyDate,
            "PatientIdentityRemoved" in image,
        ],
        "class": image.SOPClassUID.name,
        "uids": [str(image.SOPInstanceUID), str(image.SeriesInstanceUID)],
        "study": str(image.StudyInstanceUID),
        "patient": image.PatientID,
        "modality": image.Modality,
        "type": list(image.ImageType),
        "burned_in": image.get("BurnedInAnnotation"),
        "comments": image.ImageComments,
        "source": [
            str(source.ReferencedSOPClassUID),
            str(source.ReferencedSOPInstanceUID),
            source.get("ReferencedFrameNumber"),
        ],
        "shape": list(pixels.shape),
        "corner": pixels[0, 0].tolist(),
        # Rows below the picture in which something is written.
        "written": int((pixels.max(axis=(1, 2)) == 255).sum()),
    }


def message(path: str) -> dict:
    text = Path(path).read_bytes().decode("utf-8")
    parsed = parse_message(text, find_groups=False)
    report_ = parse_message(text)
    results = {}
    for segment in parsed.children:
        if segment.name != "OBX":
            continue
        code = segment.obx_3.obx_3_1.value
        results.setdefault(code, []).append(
            [segment.obx_2.value, segment.obx_5.to_er7(), segment.obx_6.obx_6_1.value, segment.obx_11.value]
        )
    return {
        "structure": report_.name,
        "segments": [segment.name for segment in parsed.children],
        "version": parsed.msh.msh_12.value,
        "processing": parsed.msh.msh_11.value,
        "control": parsed.msh.msh_10.value,
        "status": parsed.obr.obr_25.value,
        "results": results,
    }


READERS = {"sr": report, "sc": capture, "hl7": message}
print(json.dumps([READERS[kind](path) for kind, path in zip(sys.argv[1::2], sys.argv[2::2], strict=True)]))
