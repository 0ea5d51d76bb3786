#!/usr/bin/env python3
"""Compares the slices that `npm run verify:nifti` makes of NIfTI volumes with those that nibabel gives.

Needs the packages of scripts/requirements-nifti.txt. What was decoded comes on standard input: a line of JSON for each
slice or refusal, and behind that of a slice its pixels, row by row, little-endian (tools/python-judge.ts).

The volume is nibabel's array, turned by nibabel's affine so that its axes go to the patient's left, back and head;
slices are taken of that, which is another way than the one there. Equal where values are kept, within 1 where they are
scaled.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import judging
import nibabel as nib
import numpy as np
from judging import lost, messages, place
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform

SQUARE = 0.01
THICK = 1.5
GREY = (2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280)
LIMITS = ("too-many-pages", "too-many-pixels", "file-too-large", "too-small")

Numbers = np.ndarray[Any, np.dtype[Any]]


class Unread(Exception):
    """nibabel does not read it."""


class Peer:
    """A volume as nibabel has it, cut into slices."""

    def __init__(self, path: bytes) -> None:
        """Reads and turns it."""
        # Names say nothing there, and everything here.
        with open(path, "rb") as file:
            start = file.read(2)
        name = os.fsdecode(path)
        suffix = ".nii.gz" if start == b"\x1f\x8b" else ".nii"
        try:
            if name.endswith(suffix):
                image = nib.load(name)
            else:
                copy = f"/tmp/verify-nifti-{os.getpid()}{suffix}"
                if os.path.lexists(copy):
                    os.unlink(copy)
                os.symlink(os.path.abspath(name), copy)
                image = nib.load(copy)
            raw = np.asanyarray(image.dataobj.get_unscaled())
        except Exception as error:  # It raises whatever it met.
            raise Unread(f"{type(error).__name__}: {error}") from error
        header = image.header
        self.grey = int(header["datatype"]) in GREY
        if not self.grey:
            return
        raw = raw.reshape(raw.shape + (1,) * (4 - raw.ndim))[..., 0]
        # The header forgets them once it is read.
        self.slope, self.inter = float(image.dataobj.slope), float(image.dataobj.inter)
        self.window = (float(header["cal_min"]), float(header["cal_max"]))
        ornt = io_orientation(image.affine)
        transform = ornt_transform(ornt, axcodes2ornt("LPS"))
        self.turned = apply_orientation(raw, transform)
        order = [int(axis) for axis in transform[:, 0]]
        zooms = np.linalg.norm(image.affine[:3, :3], axis=0)
        self.zooms = [float(zooms[order.index(axis)]) for axis in range(3)]
        ranked = sorted(range(3), key=lambda axis: -self.zooms[axis])
        self.across = ranked[0] if self.zooms[ranked[0]] >= THICK * self.zooms[ranked[1]] else 2
        self.backwards = transform[order.index(self.across), 1] < 0
        self.of = self.turned.shape[self.across]
        self.exact, self.levels = self.grey_rule(raw)

    def grey_rule(self, raw: Numbers) -> tuple[bool, Callable[[Numbers], Numbers]]:
        """Whether values are kept, and what becomes of them."""
        finite = raw[np.isfinite(raw)].astype(np.float64)
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        white = 255 if raw.dtype.itemsize == 1 else 65_535
        falls = self.slope < 0

        def clean(part: Numbers) -> Numbers:
            return np.where(np.isfinite(part), part.astype(np.float64), high if falls else low)

        def turn(part: Numbers) -> Numbers:
            return np.asarray((low + high - clean(part)) if falls else clean(part))

        black, bright = self.window
        if np.isfinite(black) and np.isfinite(bright) and bright > black:
            return False, lambda part: np.floor(
                np.clip((clean(part) * self.slope + self.inter - black) / (bright - black), 0, 1) * white + 0.5
            )
        if np.all(finite == np.floor(finite)) and high - min(0, low) <= 65_535:
            return True, lambda part: turn(part) - min(0, low)
        return False, lambda part: np.floor((turn(part) - low) * (65_535 / (high - low)) + 0.5)

    def slice(self, index: int) -> Numbers:
        """The slice of a page, as it is looked at, before its pixels are made square."""
        at = self.of - 1 - index if self.backwards else index
        part = self.levels(np.take(self.turned, at, axis=self.across))
        # Axes that are left: rows go down along the second, and to the head means up.
        shown = part.T
        return shown if self.across == 2 else shown[::-1]

    def picture(self, index: int) -> Numbers:
        """The same with square pixels."""
        right, down = (axis for axis in range(3) if axis != self.across)
        return squared(self.slice(index), self.zooms[down] / self.zooms[right])

    def shown(self) -> range:
        """Slices from the first to the last that are not blank, by page."""
        seen = [i for i in range(self.of) if np.ptp(self.slice(i)) > 0]
        return range(seen[0], seen[-1] + 1) if seen else range(0)


def squared(picture: Numbers, ratio: float) -> Numbers:
    """Rows or columns added between others, so that pixels are square."""
    if abs(ratio - 1) <= SQUARE:
        return picture
    axis = 0 if ratio > 1 else 1
    length = picture.shape[axis]
    longer = int(np.floor(length * max(ratio, 1 / ratio) + 0.5))
    places = (np.arange(longer) + 0.5) * length / longer - 0.5
    return np.asarray(np.apply_along_axis(lambda line: np.interp(places, np.arange(length), line), axis, picture))


@dataclass
class Findings:
    """What was found, a line a file."""

    files: int = 0
    equal: int = 0
    within: int = 0
    volumes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    read_here: list[str] = field(default_factory=list)
    wrongly: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class File:
    """What is told of a file."""

    def __init__(self, findings: Findings, path: bytes, name: str) -> None:
        """Reads it with nibabel."""
        self.findings, self.name = findings, name
        self.peer: Peer | None = None
        self.why = ""
        self.pages: list[int] = []
        self.bad = False
        try:
            self.peer = Peer(path)
        except Unread as error:
            self.why = str(error)

    def differ(self, what: str) -> None:
        """Notes the first difference."""
        if self.bad:
            return
        self.bad = True
        self.findings.differing.append(f"{self.name}  {what}")

    def page(self, message: dict[str, Any], samples: bytes) -> None:
        """Compares a slice, or notes why it was refused."""
        index = message["page"] - 1
        if "code" in message:
            if message["pages"] == 1:
                self.refused(message)
            elif message["code"] != "blank-image" or (self.peer and np.ptp(self.peer.slice(index)) > 0):
                self.differ(f"slice {index + 1} was refused: {message['code']}")
            else:
                self.pages.append(index)
            return
        self.pages.append(index)
        if not self.peer or not self.peer.grey:
            return
        kind = "u1" if message["depth"] == 8 else "<u2"
        here = np.frombuffer(samples, dtype=kind).reshape(message["height"], message["width"]).astype(np.float64)
        if message["pages"] != self.peer.of:
            self.differ(f"{message['pages']} slices, and not {self.peer.of}")
            return
        expected = self.peer.picture(index)
        if expected.shape != here.shape:
            self.differ(f"slice {index + 1} is {here.shape[::-1]}, and not {expected.shape[::-1]}")
            return
        worst = float(np.abs(expected - here).max())
        plain = self.peer.exact and expected.shape == self.peer.slice(index).shape
        if worst > (0 if plain else 1):
            self.differ(f"slice {index + 1}: by {worst:g}")
        elif plain:
            self.findings.equal += 1
        else:
            self.findings.within += 1

    def refused(self, message: dict[str, Any]) -> None:
        """Notes why the file was refused."""
        line = f"{self.name}  {message['message']}  ({message['code']})"
        blank = self.peer is not None and self.peer.grey and not self.peer.shown()
        if self.peer is None or not self.peer.grey or (message["code"] == "blank-image" and blank):
            self.findings.refused.append(line)
        elif message["code"] in LIMITS:
            self.findings.limits.append(line)
        else:
            self.findings.wrongly.append(line)
        self.bad = True

    def end(self) -> None:
        """Counts the file."""
        if self.bad:
            return
        if not self.pages:
            self.findings.lost.append(f"{self.name}  nothing was told of it")
        elif self.peer is None or not self.peer.grey:
            self.findings.read_here.append(f"{self.name}  {self.why or 'no grey volume'}")
        elif self.pages != list(self.peer.shown()):
            self.differ(f"slices {self.pages[0] + 1} to {self.pages[-1] + 1} are shown, and not {self.peer.shown()}")
        else:
            self.findings.volumes.append(f"{self.name}  {len(self.pages)} of {self.peer.of} slices")


def read_messages(stream: BinaryIO, folder: bytes) -> Findings:
    """Takes in what is told, until the stream ends."""
    findings = Findings()
    waiting: dict[str, None] = {}
    file: tuple[str, File] | None = None
    for message, samples in messages(stream):
        if "files" in message:
            waiting = dict.fromkeys(message["files"])
            findings.files = len(waiting)
            continue
        path = message["path"]
        if file is None or file[0] != path:
            file = (path, File(findings, *place(folder, path)))
        if message.get("end"):
            file[1].end()
            waiting.pop(path)
        else:
            file[1].page(message, samples)
    findings.lost += lost(list(waiting))
    return findings


def report(findings: Findings, every: bool) -> None:
    """Prints the table."""
    show = functools.partial(judging.show, every=every)
    print(f"{findings.files:7}  files")
    print(f"{findings.equal:7}  slices equal to those of nibabel {nib.__version__}")
    print(f"{findings.within:7}  slices within 1 of them, where values or pixels were scaled")
    show("volumes with all their slices", findings.volumes)
    show("refused here, and no grey volume, or blank, in nibabel", findings.refused)
    show("refused here for a limit", findings.limits)
    show("read here, refused by nibabel", findings.read_here)
    show("refused for another reason, and read by nibabel", findings.wrongly, least=50)
    show("other slices than nibabel's", findings.differing, least=50)
    show("lost: neither decoded nor refused with a code", findings.lost, least=50)


def judge(stream: BinaryIO, folder: bytes, every: bool) -> bool:
    """Compares, prints, and gives whether all is well."""
    findings = read_messages(stream, folder)
    report(findings, every)
    return not (findings.differing or findings.lost or findings.wrongly)


if __name__ == "__main__":
    judging.run(__doc__, judge)
