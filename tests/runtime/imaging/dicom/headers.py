"""What pydicom reads of headers: `headers.py read FILE...`; files of many character sets: `headers.py write FOLDER`."""

import json
import sys
import warnings
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

warnings.simplefilter("ignore")

# Each can be written in several character sets.
IDENTIFIERS = {
    "plain": (
        "AB-1204",
        [
            "",
            "ISO_IR 6",
            "ISO_IR 100",
            "ISO_IR 192",
            "GB18030",
            "GBK",
            "ISO_IR 144",
            "ISO_IR 13",
            ["", "ISO 2022 IR 87"],
            ["ISO 2022 IR 6", "ISO 2022 IR 149"],
        ],
    ),
    "latin": (
        "M\u00fcller-7",
        [
            "ISO_IR 100",
            "ISO_IR 101",
            "ISO_IR 109",
            "ISO_IR 110",
            "ISO_IR 148",
            "ISO_IR 192",
            "GB18030",
            ["", "ISO 2022 IR 100"],
            ["ISO 2022 IR 6", "ISO 2022 IR 100", "ISO 2022 IR 144"],
        ],
    ),
    "cyrillic": ("\u041b\u044e\u043a-3", ["ISO_IR 144", "ISO_IR 192", "GB18030", ["", "ISO 2022 IR 144"]]),
    "greek": ("\u0394\u03b9\u03bf-5", ["ISO_IR 126", "ISO_IR 192", "GB18030", ["", "ISO 2022 IR 126"]]),
    "arabic": ("\u0642\u0628-2", ["ISO_IR 127", "ISO_IR 192"]),
    "hebrew": ("\u05e9\u05e8-2", ["ISO_IR 138", "ISO_IR 192"]),
    "thai": ("\u0e01\u0e02-4", ["ISO_IR 166", "ISO_IR 192"]),
    "katakana": ("\uff94\uff8f-9", ["ISO_IR 192", ["ISO 2022 IR 13", "ISO 2022 IR 87"]]),
    "japanese": (
        "\u5c71\u7530-9",
        ["ISO_IR 192", "GB18030", ["", "ISO 2022 IR 87"], ["ISO 2022 IR 13", "ISO 2022 IR 87"]],
    ),
    "supplement": ("\u4e02-9", ["ISO_IR 192", ["", "ISO 2022 IR 159"]]),
    "korean": ("\uae40\ud76c-8", ["ISO_IR 192", ["", "ISO 2022 IR 149"]]),
    "chinese": ("\u738b\u5c0f-8", ["ISO_IR 192", "GB18030", "GBK", ["", "ISO 2022 IR 58"]]),
}


def write(folder: Path) -> None:
    for name, (identifier, sets) in IDENTIFIERS.items():
        for index, character_set in enumerate(sets):
            meta = FileMetaDataset()
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            meta.MediaStorageSOPClassUID = MRImageStorage
            meta.MediaStorageSOPInstanceUID = "1.2.3"
            file = FileDataset(None, Dataset(), file_meta=meta, preamble=b"\0" * 128)
            if character_set:
                file.SpecificCharacterSet = character_set
            file.PatientID = identifier
            file.AccessionNumber = identifier
            file.save_as(folder / f"{name}-{index}.dcm", enforce_file_format=True)


def text(dataset, keyword):
    value = dataset.get(keyword)
    if value is None or (isinstance(value, pydicom.multival.MultiValue) and not value):
        return None
    first = value[0] if isinstance(value, pydicom.multival.MultiValue) else value
    return str(first).strip() or None


def read(files: list[str]) -> None:
    facts = {}
    for path in files:
        try:
            dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        except Exception:
            continue
        facts[path] = {
            "patientId": text(dataset, "PatientID"),
            "studyUid": text(dataset, "StudyInstanceUID"),
            "seriesUid": text(dataset, "SeriesInstanceUID"),
            "instanceUid": text(dataset, "SOPInstanceUID") or text(dataset.file_meta, "MediaStorageSOPInstanceUID"),
            "accession": text(dataset, "AccessionNumber"),
        }
    print(json.dumps(facts))


if sys.argv[1] == "write":
    write(Path(sys.argv[2]))
    print(json.dumps({name: identifier for name, (identifier, _) in IDENTIFIERS.items()}))
else:
    read(sys.argv[2:])
