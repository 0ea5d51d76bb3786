#!/usr/bin/env python3
"""Compares what `npm run verify:dicom` decodes of DICOM files with what pydicom decodes of them.

Needs the packages of scripts/requirements-dicom.txt. What was decoded comes on standard input: a line of JSON for each
frame, picture or refusal, and behind that of a frame or picture its samples, row by row, little-endian
(tools/verify-dicom.ts).

Two things are compared. Frames as they are stored, before any table or window, with pydicom's raw pixels: equal, and of
lossy JPEG within 1, because two inverse cosine transforms may round differently. And the pictures that ingest makes of
MR files: the file's table or window by pydicom, turned upright here in another way than there, within 1 of 65,535 or of
255.
"""

from __future__ import annotations

import functools
import logging
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import judging
import numpy as np
import pydicom
from judging import lost, messages, place
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, convert_color_space, get_decoder

LOSSY = 1
JPEG_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
SQUARE = 0.01

Numbers = np.ndarray[Any, np.dtype[Any]]


class Unread(Exception):
    """pydicom does not read it."""


class Peer:
    """A file as pydicom has it."""

    def __init__(self, path: bytes) -> None:
        """Reads everything but the pixels."""
        try:
            self.data = pydicom.dcmread(os.fsdecode(path), force=True)
        except Exception as error:  # It raises whatever it met.
            raise Unread(f"{type(error).__name__}: {error}") from error
        self._raw: Numbers | None = None

    def frames(self) -> Numbers:
        """All frames as they are stored."""
        if self._raw is None:
            try:
                decoder = get_decoder(self.data.file_meta.TransferSyntaxUID)
                raw, about = decoder.as_array(self.data, raw=True, allow_excess_frames=False)
            except Exception as error:
                raise Unread(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
            self._raw = raw if about["number_of_frames"] > 1 else raw[np.newaxis]
        return self._raw

    def about_frame(self, index: int) -> Dataset:
        """The file's attributes, with those of the frame's functional groups in their place."""
        flat = Dataset()
        flat.set_original_encoding(*self.data.original_encoding)
        for element in self.data:
            if element.tag.group in (0x0018, 0x0020, 0x0028):
                flat.add(element)
        shared = list(self.data.get("SharedFunctionalGroupsSequence", None) or [])[:1]
        own = list(self.data.get("PerFrameFunctionalGroupsSequence", None) or [])[index : index + 1]
        for group in shared + own:
            for name in (
                "PixelMeasuresSequence",
                "PlaneOrientationSequence",
                "FrameVOILUTSequence",
                "PixelValueTransformationSequence",
            ):
                for item in list(group.get(name, None) or [])[:1]:
                    for element in item:
                        flat.add(element)
        return flat


def padding(values: Numbers, about: Dataset) -> Numbers:
    """Where a frame is padded."""
    value = about.get("PixelPaddingValue", None)
    if value is None or values.dtype.kind == "f":
        return np.zeros(values.shape, dtype=bool)
    limit = about.get("PixelPaddingRangeLimit", value)
    return np.asarray((values >= min(value, limit)) & (values <= max(value, limit)))


def luma(values: Numbers, data: Dataset) -> Numbers:
    """Grey of a frame in colours: ITU-R BT.601, of the depth that it has."""
    if data.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, data)
    elif data.PhotometricInterpretation.startswith("YBR_FULL"):
        values = convert_color_space(values, "YBR_FULL", "RGB")
    red, green, blue = np.moveaxis(values.astype(np.float64), -1, 0)
    return np.asarray(np.floor((299 * red + 587 * green + 114 * blue + 500) / 1000))


def whole(values: Numbers, about: Dataset) -> Numbers:
    """What a frame without a window becomes: values as they are, the lowest of negative ones lifted to 0."""
    table = about.get("ModalityLUTSequence", None)
    measured = apply_modality_lut(values, about) if table else values
    falls = not table and float(about.get("RescaleSlope", 1)) < 0
    grey = measured.astype(np.float64)
    if falls != (about.PhotometricInterpretation == "MONOCHROME1"):
        if table:
            grey = 2.0 ** int(table[0].LUTDescriptor[2]) - 1 - grey
        else:
            grey = (-1 if about.PixelRepresentation == 1 else 2.0 ** int(about.BitsStored) - 1) - grey
    aside = padding(values, about)
    if aside.any() and not aside.all():
        grey[aside] = grey[~aside].min()
    low, high = min(0, grey.min()), grey.max()
    if high - low <= 65_535 and np.all(grey == np.floor(grey)):
        return np.asarray(grey - low)
    return np.asarray(np.floor((grey - grey.min()) * (65_535 / (high - grey.min())) + 0.5))


def windowed(values: Numbers, about: Dataset) -> Numbers | None:
    """Shares of white by the file's table or first window; None where it has neither."""
    tables = about.get("VOILUTSequence", None)
    if tables:
        measured = apply_modality_lut(values, about)
        looked = apply_voi_lut(np.round(measured).astype(np.int64), about)
        return np.asarray(looked / (2.0 ** int(tables[0].LUTDescriptor[2]) - 1))
    if about.get("WindowCenter", None) is None or about.get("WindowWidth", None) is None:
        return None
    measured = apply_modality_lut(values, about)
    looked = apply_voi_lut(measured, about)
    table = about.get("ModalityLUTSequence", None)
    bits = int(table[0].LUTDescriptor[2]) if table else int(about.BitsStored)
    signed = about.PixelRepresentation == 1 and not table
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    if not table and "RescaleSlope" in about:
        slope, intercept = float(about.RescaleSlope), float(about.RescaleIntercept)
        low, high = low * slope + intercept, high * slope + intercept
    return np.asarray((looked - low) / (high - low))


def squared(picture: Numbers, ratio: float) -> Numbers:
    """Rows or columns added between others, so that pixels are square."""
    if abs(ratio - 1) <= SQUARE:
        return picture
    axis = 0 if ratio > 1 else 1
    length = picture.shape[axis]
    longer = int(np.floor(length * max(ratio, 1 / ratio) + 0.5))
    places = (np.arange(longer) + 0.5) * length / longer - 0.5
    return np.asarray(np.apply_along_axis(lambda line: np.interp(places, np.arange(length), line), axis, picture))


def turned(picture: Numbers, cosines: Sequence[float]) -> Numbers:
    """The picture as it is looked at: the best of the eight, by where its right and lower edges lie in the patient."""
    if len(cosines) != 6:
        return picture
    across, along = np.array(cosines[:3], float), np.array(cosines[3:], float)
    main = [int(np.argmax(np.abs(direction))) for direction in (across, along)]
    if main[0] == main[1]:
        return picture
    normal = 3 - sum(main)
    wanted = {0: ((0, 1, 0), (0, 0, -1)), 1: ((1, 0, 0), (0, 0, -1)), 2: ((1, 0, 0), (0, 1, 0))}[normal]
    best: tuple[float, Numbers] | None = None
    for swapped in (False, True):
        right, down = (along, across) if swapped else (across, along)
        for mirrored in (1, -1):
            for flipped in (1, -1):
                fit = float(np.dot(mirrored * right, wanted[0]) + np.dot(flipped * down, wanted[1]))
                if best is None or fit > best[0]:
                    best = (fit, (picture.T if swapped else picture)[::flipped, ::mirrored])
    return picture if best is None else best[1]


def ratio_of(about: Dataset) -> float:
    """Distance of rows by that of columns."""
    spacing = about.get("PixelSpacing", None) or about.get("PixelAspectRatio", None) or (1, 1)
    rows, columns = float(spacing[0]), float(spacing[1])
    return rows / columns if rows > 0 and columns > 0 else 1.0


def expected_picture(peer: Peer, index: int, eight: bool) -> Numbers:
    """What ingest has to make of a frame. @raises Unread where pydicom does not say it"""
    about = peer.about_frame(index)
    values = peer.frames()[index]
    white = 255.0 if eight else 65_535.0
    try:
        if not about.PhotometricInterpretation.startswith("MONOCHROME"):
            grey = luma(values, peer.data)
            return turned(squared(grey, ratio_of(about)), about.get("ImageOrientationPatient", None) or [])
        share = windowed(values, about)
        if share is None:
            grey = whole(values, about)
        else:
            dark = about.PhotometricInterpretation == "MONOCHROME1"
            grey = np.floor((1 - share if dark else share) * white + 0.5)
            grey[padding(values, about)] = 0
        return turned(squared(grey, ratio_of(about)), about.get("ImageOrientationPatient", None) or [])
    except Exception as error:
        raise Unread(f"{type(error).__name__}: {error}") from error


@dataclass
class Findings:
    """What became of every file; each list has a line for a file, or for a frame."""

    files: int = 0
    #: Files that pydicom decodes, by name of the transfer syntax: equal, within the tolerance, and others.
    equal: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    within: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    pictures: int = 0
    pictures_left: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    unread_encoding: list[str] = field(default_factory=list)
    wrongly_refused: list[str] = field(default_factory=list)
    #: Not read by pydicom, by the code with which they were refused.
    refused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refused_by_pydicom: list[str] = field(default_factory=list)
    #: Read, and not taken by ingest, by code.
    not_taken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    lost: list[str] = field(default_factory=list)


class File:
    """What is told of one file."""

    def __init__(self, findings: Findings, path: bytes, name: str) -> None:
        """Begins with nothing told."""
        self.findings = findings
        self.path = path
        self.name = name
        self.encoding = ""
        self.worst = 0.0
        self.frames = 0
        self.of = 0
        self.bad = False
        self.told = False
        self.unread: str | None = None
        self._peer: Peer | None = None

    @property
    def peer(self) -> Peer:
        """The file as pydicom has it."""
        if self._peer is None:
            self._peer = Peer(self.path)
        return self._peer

    def frame(self, message: dict[str, Any], samples: bytes) -> None:
        """Compares one stored frame."""
        self.told = True
        self.encoding = message["encoding"]
        self.frames += 1
        self.of = message["of"]
        try:
            expected = self.peer.frames()
        except Unread as unread:
            self.unread = str(unread)
            return
        there = expected[message["frame"]].ravel()
        here = np.frombuffer(samples, dtype=message["type"])
        if here.shape != there.shape:
            self.differ(f"frame {message['frame'] + 1}: pydicom has {there.size} samples, not {here.size}")
            return
        difference = float(np.max(np.abs(there.astype(np.float64) - here.astype(np.float64))))
        lossy = self.peer.data.file_meta.TransferSyntaxUID in JPEG_LOSSY
        if difference > (LOSSY if lossy else 0):
            self.differ(f"frame {message['frame'] + 1}: by {difference:g}")
        self.worst = max(self.worst, difference)

    def differ(self, what: str) -> None:
        """Writes a difference down."""
        self.bad = True
        self.findings.differing.append(f"{self.name}  {what}  ({self.encoding})")

    def refused(self, code: str, message: str) -> None:
        """Judges a refusal: pydicom must not read the file, or its transfer syntax be the reason."""
        self.told = True
        line = f"{self.name}  {message}"
        try:
            self.peer.frames()
        except Unread:
            (self.findings.lost.append(line) if code == "crash" else self.findings.refused[code].append(line))
            return
        if code == "unsupported-encoding":
            self.findings.unread_encoding.append(line)
        else:
            self.findings.wrongly_refused.append(f"{line}  ({code})")

    def picture(self, message: dict[str, Any], samples: bytes) -> None:
        """Compares the picture that ingest makes of a frame."""
        here = np.frombuffer(samples, dtype=message["type"]).reshape(message["height"], message["width"])
        label = f"{self.name}#page={message['frame'] + 1}"
        try:
            expected = expected_picture(self.peer, message["frame"], message["type"] == "u1")
        except Unread as unread:
            self.findings.pictures_left.append(f"{label}  {unread}")
            return
        if expected.shape != here.shape:
            self.differ(f"picture {label}: {expected.shape} expected, not {here.shape}")
            return
        difference = float(np.max(np.abs(expected - here)))
        if difference > 1 + (LOSSY if self.worst else 0):
            self.differ(f"picture of frame {message['frame'] + 1}: by {difference:g}")
        else:
            self.findings.pictures += 1

    def end(self) -> None:
        """Counts the file."""
        if self.frames == 0:
            if not self.told:
                self.findings.lost.append(f"{self.name}  nothing was told of it")
            return
        if self.unread is not None:
            self.findings.refused_by_pydicom.append(f"{self.name}  {self.unread}")
        elif self.frames != self.of:
            self.findings.lost.append(f"{self.name}  {self.frames} of {self.of} frames")
        elif not self.bad:
            (self.findings.within if self.worst else self.findings.equal)[self.encoding] += 1


def read_messages(stream: BinaryIO, folder: bytes) -> Findings:
    """Takes in what is told, until the stream ends."""
    findings = Findings()
    waiting: dict[str, None] = {}
    files: dict[str, File] = {}
    for message, samples in messages(stream):
        if "files" in message:
            waiting = dict.fromkeys(message["files"])
            findings.files = len(waiting)
            continue
        file = files.setdefault(message["path"], File(findings, *place(folder, message["path"])))
        if message.get("end"):
            file.end()
            waiting.pop(message["path"])
            files.clear()
        elif message.get("stored") == "frame":
            file.frame(message, samples)
        elif message.get("stored") == "refused":
            file.refused(message["code"], message["message"])
        elif message.get("picture") == "page":
            file.picture(message, samples)
        elif message["code"] == "crash":
            findings.lost.append(f"{file.name}  {message['message']}")
        elif file.frames > 0:
            findings.not_taken[message["code"]].append(f"{file.name}  {message['message']}")
    findings.lost += lost(list(waiting))
    return findings


def report(findings: Findings, every: bool) -> None:
    """Prints the table."""
    show = functools.partial(judging.show, every=every)
    equal, within = sum(findings.equal.values()), sum(findings.within.values())
    print(f"{findings.files:7}  files")
    print(f"{equal + within:7}  with the pixels of pydicom {pydicom.__version__}: equal / within {LOSSY}")
    for encoding in sorted(set(findings.equal) | set(findings.within)):
        print(f"           - {findings.equal[encoding]:4} / {findings.within[encoding]:<4} {encoding}")
    print(f"{findings.pictures:7}  pictures as pydicom's tables and windows make them")
    show("pictures that pydicom makes none of", findings.pictures_left)
    for code in sorted(findings.not_taken):
        show(f"read, and not taken by ingest: {code}", findings.not_taken[code])
    for code in sorted(findings.refused):
        show(f"refused here as {code}, and without pixels in pydicom", findings.refused[code])
    show("read here, refused by pydicom", findings.refused_by_pydicom)
    show("refused for their transfer syntax, read by pydicom", findings.unread_encoding)
    show("refused for another reason, and read by pydicom", findings.wrongly_refused, least=50)
    show("other pixels than pydicom's", findings.differing, least=50)
    show("lost: neither decoded nor refused with a code", findings.lost, least=50)


def judge(stream: BinaryIO, folder: bytes, every: bool) -> bool:
    """Compares, prints, and gives whether all is well."""
    logging.disable(logging.CRITICAL)
    findings = read_messages(stream, folder)
    report(findings, every)
    return not (findings.differing or findings.lost or findings.wrongly_refused)


if __name__ == "__main__":
    judging.run(__doc__, judge)
