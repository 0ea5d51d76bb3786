"""Files with every attribute of the table, written and read with pydicom.

`instances.py write ATTRIBUTES FOLDER`: ATTRIBUTES is a JSON, `{tag: {vr, value}}`, value a text, or a list
of items like it.
They stand in the outermost data set and, all of them again, in an item of Referenced Series Sequence.
`instances.py read FILE...`: what pydicom reads, as JSON.
`instances.py compare FOLDER FOLDER`: names of files whose pixels differ, and how many are the same, as JSON.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
)

warnings.simplefilter("ignore")

CONTAINER = Tag(0x0008, 0x1115)
SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big-endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "encapsulated": RLELossless,
}
NUMBERS = {"US": int, "AT": int}
BYTES = ("OB", "OW", "UN")


def fill(dataset: Dataset, attributes: dict) -> Dataset:
    for tag, attribute in attributes.items():
        vr, value = attribute["vr"], attribute["value"]
        if vr == "SQ":
            content = Sequence([fill(Dataset(), item) for item in value])
        elif vr in BYTES:
            content = value.encode("latin-1")
        else:
            content = NUMBERS.get(vr, str)(value)
        dataset[Tag(int(tag, 16))] = DataElement(Tag(int(tag, 16)), vr, content)
    return dataset


def write(attributes: dict, folder: Path) -> None:
    for name, syntax in SYNTAXES.items():
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = "1.2.3.4711.2.3"
        meta.SourceApplicationEntityTitle = "ZQ00020016ZQ"
        dataset = FileDataset(
            None,
            Dataset(),
            preamble=b"ZQ00000000ZQ".ljust(128, b"\0"),
            file_meta=meta,
            is_implicit_VR=syntax == ImplicitVRLittleEndian,
            is_little_endian=syntax != ExplicitVRBigEndian,
        )
        fill(dataset, {tag: it for tag, it in attributes.items() if not tag.startswith(("0000", "0002"))})
        dataset.SOPClassUID = MRImageStorage
        dataset.Modality = "MR"
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.Rows, dataset.Columns = 8, 6
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        pixels = np.arange(48, dtype="<u2").reshape(8, 6)
        dataset.PixelData = (pixels.byteswap() if syntax == ExplicitVRBigEndian else pixels).tobytes()
        dataset["PixelData"].VR = "OW"
        # Those of commands too: they have no place here, and are put here all the same.
        dataset[CONTAINER] = DataElement(CONTAINER, "SQ", Sequence([fill(Dataset(), attributes)]))
        if syntax == RLELossless:
            dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(folder / f"{name}.dcm", enforce_file_format=False)


def describe(element: DataElement) -> dict:
    if element.VR == "SQ":
        return {"vr": "SQ", "items": [describe_all(item) for item in element.value]}
    value = element.value
    if value is None:
        text = ""
    elif isinstance(value, bytes):
        text = value.decode("latin-1")
    elif element.VM > 1:
        text = "\\".join(str(part) for part in value)
    else:
        text = str(value)
    return {"vr": element.VR, "value": text}


def describe_all(dataset: Dataset) -> dict:
    return {f"{element.tag.group:04x}{element.tag.element:04x}": describe(element) for element in dataset}


def read(path: str) -> dict:
    dataset = pydicom.dcmread(path)
    return {"meta": describe_all(dataset.file_meta), "dataSet": describe_all(dataset)}


def pixels_of(path: Path) -> np.ndarray | None:
    try:
        return pydicom.dcmread(path, force=True).pixel_array
    except Exception:
        return None


def compare(before: Path, after: Path) -> dict:
    same, differ, neither = 0, [], 0
    for path in sorted(after.iterdir()):
        old, new = pixels_of(before / path.name), pixels_of(path)
        if old is None and new is None:
            neither += 1
        elif old is None or new is None or old.dtype != new.dtype or not np.array_equal(old, new):
            differ.append(path.name)
        else:
            same += 1
    return {"same": same, "differ": differ, "neither": neither}


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "write":
        write(json.loads(Path(arguments[0]).read_text()), Path(arguments[1]))
    elif command == "read":
        json.dump({path: read(path) for path in arguments}, sys.stdout)
    else:
        json.dump(compare(Path(arguments[0]), Path(arguments[1])), sys.stdout)
