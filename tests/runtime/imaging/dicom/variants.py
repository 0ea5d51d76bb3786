"""Writes the slice of pydicom's MR_small.dcm, and pictures made by rule, in as many ways as DICOM has.

    variants.py FOLDER

FOLDER/same holds one slice in every transfer syntax that pydicom writes; FOLDER/other, one file for each thing that may
stand in a file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

SAME, OTHER = Path(sys.argv[1], "same"), Path(sys.argv[1], "other")
SAME.mkdir(parents=True)
OTHER.mkdir(parents=True)
DATA = Path(os.path.dirname(pydicom.__file__), "data", "test_files")


def small() -> FileDataset:
    return pydicom.dcmread(DATA / "MR_small.dcm")


def save(data: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    data.file_meta.TransferSyntaxUID = syntax
    dcmwrite(path, data, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian)


def same_slice() -> None:
    for name, syntax in {
        "explicit": ExplicitVRLittleEndian,
        "implicit": ImplicitVRLittleEndian,
        "deflated": DeflatedExplicitVRLittleEndian,
    }.items():
        save(small(), SAME / name, syntax)
    # pydicom leaves the bytes of pixels as they are.
    data = small()
    data.PixelData = data.pixel_array.astype(">i2").tobytes()
    save(data, SAME / "big-endian", ExplicitVRBigEndian)
    for name, syntax in {"rle": RLELossless, "jpeg-ls": JPEGLSLossless, "jpeg-2000": JPEG2000Lossless}.items():
        data = small()
        data.compress(syntax, generate_instance_uid=False)
        data.save_as(SAME / name)
    whole = (SAME / "explicit").read_bytes()
    start = whole.index(b"\x08\x00\x08\x00CS")
    (SAME / "without-preamble").write_bytes(whole[132:])
    (SAME / "without-meta").write_bytes(whole[start:])
    # An element of odd length, which the standard forbids and files have.
    raw = bytearray(whole)
    at = raw.index(b"\x28\x00\x02\x00US")
    raw[at:at] = b"\x20\x00\x00\x40LT\x03\x00abc"
    (SAME / "odd-length").write_bytes(raw)
    data = small()
    item, inner = Dataset(), Dataset()
    item.CodeValue = "1"
    inner.ConceptNameCodeSequence = [item]
    inner["ConceptNameCodeSequence"].is_undefined_length = True
    inner.is_undefined_length_sequence_item = True
    data.ConceptCodeSequence = [inner, Dataset()]
    data["ConceptCodeSequence"].is_undefined_length = True
    save(data, SAME / "undefined-lengths")
    save(data, SAME / "undefined-lengths-implicit", ImplicitVRLittleEndian)


def plain(values: np.ndarray[Any, Any], stored: int | None = None, **more: Any) -> FileDataset:
    """An MR image of values, frames first where there are several, colours last."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = MRImageStorage, "1.2.3", "MR"
    bits = 8 * values.dtype.itemsize
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = values.shape[-2:]
    data.BitsAllocated, data.BitsStored = bits, stored or bits
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = 1 if values.dtype.kind == "i" else 0
    data.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    data["PixelData"].VR = "OB" if bits == 8 else "OW"
    for name, value in more.items():
        setattr(data, name, value)
    return data


def head(rows: int = 48, columns: int = 40, low: int = 0, high: int = 4095) -> np.ndarray[Any, Any]:
    """Neither blank nor symmetric."""
    y, x = np.mgrid[0:rows, 0:columns]
    inside = ((x - 0.45 * columns) / columns) ** 2 + ((y - 0.55 * rows) / rows) ** 2 < 0.12
    wave = 0.35 + 0.3 * x / columns + 0.3 * y / rows + 0.04 * np.sin(x * 3 + y)
    return np.floor(low + (high - low) * np.where(inside, wave, 0.02 * x / columns))


def table(entries: np.ndarray[Any, Any], first: int, bits: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(entries) % 65_536, first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return item


def intensities() -> None:
    for name, kind, stored, low, high in [
        ("u8", "u1", 8, 0, 255),
        ("u6-of-8", "u1", 6, 0, 63),
        ("i8", "i1", 8, -128, 127),
        ("u12", "<u2", 12, 0, 4095),
        ("i12", "<i2", 12, -2048, 2047),
        ("u16", "<u2", 16, 0, 65_535),
        ("i16", "<i2", 16, -32_768, 32_767),
        ("u32", "<u4", 32, 0, 4_000_000_000),
        ("i32", "<i4", 32, -2_000_000_000, 2_000_000_000),
        ("i20-of-32", "<i4", 20, -500_000, 500_000),
    ]:
        values = head(low=low, high=high).astype(kind)
        for dark in ("MONOCHROME1", "MONOCHROME2"):
            save(plain(values, stored, PhotometricInterpretation=dark), OTHER / f"{name}-{dark}")
        middle, width = (low + high) / 2 + 0.5, (high - low) / 3
        save(plain(values, stored, WindowCenter=[middle, 1], WindowWidth=[width, 2]), OTHER / f"{name}-window")
    values = head(low=-1000, high=1000).astype("<i2")
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        for dark in ("MONOCHROME1", "MONOCHROME2"):
            file = plain(values, PhotometricInterpretation=dark, WindowCenter=100, WindowWidth=700)
            file.VOILUTFunction, file.RescaleSlope, file.RescaleIntercept = function, "1.5", "-20"
            save(file, OTHER / f"window-{function}-{dark}")
    save(plain(values, RescaleSlope="-2.5", RescaleIntercept="3"), OTHER / "falling")
    save(plain(values, RescaleSlope="0.1", RescaleIntercept="0"), OTHER / "rising")
    save(plain(values, WindowCenter=0, WindowWidth=1), OTHER / "window-of-one")
    curve = np.floor(65_535 * np.linspace(0, 1, 1500) ** 2)
    modality = [table(curve, -500, 16)]
    save(plain(values, ModalityLUTSequence=modality), OTHER / "modality-table")
    dark = plain(values, ModalityLUTSequence=modality, PhotometricInterpretation="MONOCHROME1")
    save(dark, OTHER / "modality-table-dark")
    looked = plain(values, ModalityLUTSequence=modality, WindowCenter=20_000, WindowWidth=30_000)
    save(looked, OTHER / "modality-table-window")
    save(plain(values, VOILUTSequence=[table(curve // 16, -700, 12)]), OTHER / "voi-table")
    full = table(np.arange(65_536), -32_768, 16)
    save(plain(values, VOILUTSequence=[full]), OTHER / "voi-table-of-65536")
    both = plain(values, VOILUTSequence=[table(curve, -700, 16)], WindowCenter=0, WindowWidth=10)
    save(both, OTHER / "voi-table-and-window")
    padded = np.where(head() < 100, -2000, values).astype("<i2")
    for name, more in {"whole": {}, "window": {"WindowCenter": 0, "WindowWidth": 900}}.items():
        for dark in ("MONOCHROME1", "MONOCHROME2"):
            file = plain(padded, PhotometricInterpretation=dark, **more)
            file.add_new("PixelPaddingValue", "SS", -2000)
            save(file, OTHER / f"padded-{name}-{dark}")
            file.add_new("PixelPaddingRangeLimit", "SS", -900)
            save(file, OTHER / f"padded-range-{name}-{dark}")
    overlaid = (head().astype("<u2") & 0x0FFF) | 0xA000
    save(plain(overlaid.astype("<u2"), 12), OTHER / "unused-bits")
    signed = (head(low=-2048, high=2047).astype("<i2").view("<u2") & 0x0FFF) | 0x5000
    save(plain(signed.view("<i2"), 12), OTHER / "unused-bits-signed")


def geometry() -> None:
    values = head().astype("<u2")
    planes = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
    for plane, (first, second) in planes.items():
        for swapped in (False, True):
            for mirrored in (1, -1):
                for flipped in (1, -1):
                    across, along = (second, first) if swapped else (first, second)
                    cosines = [0.0] * 6
                    cosines[across], cosines[3 + along] = float(mirrored), float(flipped)
                    file = plain(values, 12, ImageOrientationPatient=cosines, PixelSpacing=[0.9, 0.9])
                    save(file, OTHER / f"{plane}-{swapped:d}{mirrored:+d}{flipped:+d}")
    tilted = [0.9848, 0.1736, 0, 0.1504, -0.8529, -0.5]
    save(plain(values, 12, ImageOrientationPatient=tilted), OTHER / "tilted")
    save(plain(values, 12, PixelSpacing=[1.5, 1]), OTHER / "high-pixels")
    save(plain(values, 12, PixelSpacing=[0.5, 0.7], ImageOrientationPatient=[0, 1, 0, 1, 0, 0]), OTHER / "wide-pixels")
    save(plain(values, 12, PixelAspectRatio=["2", "1"]), OTHER / "aspect")
    save(plain(values, 12, PixelSpacing=[0, 0]), OTHER / "no-spacing")


def frames() -> None:
    values = np.stack([head(high=1000 * (i + 1)) for i in range(3)]).astype("<u2")
    save(plain(values, 12, NumberOfFrames=3), OTHER / "frames")
    rle = plain(values, 12, NumberOfFrames=3)
    rle.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    rle.compress(RLELossless, generate_instance_uid=False)
    rle.save_as(OTHER / "frames-rle")
    enhanced = plain(values, 12, NumberOfFrames=3)
    enhanced.SOPClassUID = enhanced.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    measures, shared = Dataset(), Dataset()
    measures.PixelSpacing = [1.25, 1]
    shared.PixelMeasuresSequence = [measures]
    enhanced.SharedFunctionalGroupsSequence = [shared]
    own = []
    for i in range(3):
        orientation, voi, rescale, group = Dataset(), Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient = [[1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, 0, 1], [0, -1, 0, 0, 0, 1]][i]
        voi.WindowCenter, voi.WindowWidth = 400 * (i + 1), 300 * (i + 1)
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = f"{1 + i / 2}", f"{i}", "US"
        group.PlaneOrientationSequence, group.FrameVOILUTSequence = [orientation], [voi]
        group.PixelValueTransformationSequence = [rescale]
        own.append(group)
    enhanced.PerFrameFunctionalGroupsSequence = own
    save(enhanced, OTHER / "enhanced")
    save(enhanced, OTHER / "enhanced-implicit", ImplicitVRLittleEndian)
    bits = (head(33, 35) > 1000).astype("u1")
    several = np.stack([bits, 1 - bits, bits.T.reshape(33, 35)])
    packed = np.packbits(several.ravel(), bitorder="little").tobytes()
    for syntax, name in ((ExplicitVRLittleEndian, "bits"), (ExplicitVRBigEndian, "bits-big-endian")):
        file = plain(several, 1, NumberOfFrames=3, BitsAllocated=1)
        file.PixelData = packed + b"\0" * (len(packed) % 2)
        save(file, OTHER / name, syntax)
    for kind, name in (("<f4", "FloatPixelData"), ("<f8", "DoubleFloatPixelData")):
        file = plain(head().astype(kind))
        for absent in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(file, absent)
        fractions = (head() / 7).astype(kind)
        setattr(file, name, fractions.tobytes())
        save(file, OTHER / name)


def colours() -> None:
    grey = head(high=255)
    rgb = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1).astype("u1")

    def coloured(values: np.ndarray[Any, Any], meaning: str, planar: int = 0) -> FileDataset:
        file = plain(values[..., 0])
        file.SamplesPerPixel, file.PhotometricInterpretation, file.PlanarConfiguration = 3, meaning, planar
        file.PixelData = (np.moveaxis(values, -1, 0) if planar else values).tobytes()
        file["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
        return file

    for planar in (0, 1):
        save(coloured(rgb, "RGB", planar), OTHER / f"rgb-{planar}")
        save(coloured(rgb, "YBR_FULL", planar), OTHER / f"ybr-{planar}")
        save(coloured(rgb.astype("<u2") * 257, "RGB", planar), OTHER / f"rgb16-{planar}")
    shared = np.concatenate([rgb[:, 0::2, :1], rgb[:, 1::2, :1], rgb[:, 0::2, 1:]], axis=-1)
    file = coloured(rgb, "YBR_FULL_422")
    file.PixelData = shared.tobytes()
    save(file, OTHER / "ybr-422")
    palette = plain(head(high=255).astype("u1"), PhotometricInterpretation="PALETTE COLOR")
    for shift, colour in enumerate(("Red", "Green", "Blue")):
        entries = np.roll(np.arange(256), 16 * shift) * 257
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(palette, f"{colour}PaletteColorLookupTableData", entries.astype("<u2").tobytes())
    save(palette, OTHER / "palette")
    # Bytes in words of the other order.
    words = plain(head(high=255).astype("u1"))
    swapped = np.frombuffer(words.PixelData, "<u2").astype(">u2").tobytes()
    words.PixelData = swapped
    words["PixelData"].VR = "OW"
    save(words, OTHER / "big-endian-words", ExplicitVRBigEndian)


def compressed() -> None:
    for name, syntax in {"jpeg-ls": JPEGLSLossless, "jpeg-2000": JPEG2000Lossless, "rle": RLELossless}.items():
        for kind, stored, low, high in (
            ("u1", 8, 0, 255),
            ("<u2", 12, 0, 4095),
            ("<u2", 16, 0, 65_535),
            ("<i2", 16, -32_000, 32_000),
            ("<i2", 12, -2048, 2047),
        ):
            file = plain(head(low=low, high=high).astype(kind), stored)
            file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            file.compress(syntax, generate_instance_uid=False)
            file.save_as(OTHER / f"{name}-{np.dtype(kind).name}-{stored}")


same_slice()
intensities()
geometry()
frames()
colours()
compressed()
