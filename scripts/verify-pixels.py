#!/usr/bin/env python3
"""Compares the grey values that `npm run verify:pixels` decodes with those that Pillow reads from the same files.

Needs Python 3.10 or newer and Pillow, nothing else. What was decoded comes on standard input: a line of JSON for each
page or file, and behind that of a page its samples, row by row, 16 bits little-endian (tools/verify-pixels.ts).

The rule (runtime/imaging/grey.ts). A page of 8 bits is what Pillow reads: turned as EXIF says, alpha over black, then
`convert("L")`. A page of whole numbers of 16 or 32 bits, or of fractions, has 16 bits by the rule that `scaled`
repeats, and is compared at 16 bits; where Pillow itself keeps only the upper 8 of 16 bits, so does this. Values may
differ by 1.
"""

from __future__ import annotations

import functools
import math
import os
import sys
from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeAlias

import judging
import PIL
from judging import lost, messages, place
from PIL import Image, ImageChops, ImageOps, TiffImagePlugin

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
TOLERANCE = 1
# Pillow refuses pictures of twice as many pixels.
Image.MAX_IMAGE_PIXELS = 50_000_000
ORIENTATION = 274
OLD = int(PIL.__version__.split(".")[0]) < 13

#: 8 bits as a picture of mode L, 16 bits as their values.
Grey: TypeAlias = "Image.Image | array[int]"


@dataclass(frozen=True)
class Page:
    """A page as Pillow has it, before it is made grey."""

    path: bytes
    #: 1 is the first.
    number: int
    #: Its pixels are read; it is not yet turned.
    image: Image.Image
    #: Its mode as the file has it.
    mode: str
    #: The words of a TIFF: PhotometricInterpretation is 262 and so on; empty for other formats.
    tags: dict[int, Any]

    def tag(self, number: int, absent: int) -> int:
        """The first value of a tag that holds numbers."""
        value = self.tags.get(number, absent)
        return int(value[0] if isinstance(value, tuple) else value)

    def turned(self) -> Image.Image:
        """The picture upright."""
        return ImageOps.exif_transpose(self.image)


def values_of(image: Image.Image, kind: str) -> array[Any]:
    """The values of a picture of one channel, of a type of the module array."""
    values = array(kind, image.tobytes())
    if image.mode.startswith("I;16") and (image.mode == "I;16B") == (sys.byteorder == "little"):
        values.byteswap()
    return values


def scaled(values: Sequence[float]) -> array[int]:
    """What runtime/imaging/grey.ts documents: exact where that fits 16 bits, else from minimum to maximum."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0, 0)
    lift = min(0, low)
    if high - lift <= 65_535 and all(value == int(value) for value in finite):
        return array("H", (int((value if math.isfinite(value) else low) - lift) for value in values))
    scale = 65_535 / (high - low) if high > low else 0
    return array("H", (int((value - low) * scale + 0.5) if math.isfinite(value) else 0 for value in values))


def grey(image: Image.Image) -> Grey:
    """What the rule makes of a picture that Pillow has read, and that is upright."""
    transparent = image.info.get("transparency")
    if image.mode.startswith("I;16"):
        values = values_of(image, "H")
        return array("H", (0 if value == transparent else value for value in values))
    if image.mode in ("I", "F"):
        return scaled(values_of(image, "i" if image.mode == "I" else "f"))
    if image.mode.endswith(("A", "a")) or transparent is not None:
        coloured = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        black = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, coloured).convert("L")
    return image.convert("L")


# Where Pillow's picture is known to be another. Each has its reason, and where that is possible the picture that is
# expected in place of Pillow's, so that it explains no other difference.


@dataclass(frozen=True)
class Allowed:
    """A difference that is known and wanted."""

    name: str
    reason: str
    applies: Callable[[Page], bool]
    #: What is expected in place of Pillow's picture; None: what Pillow has.
    instead: Callable[[Page], Grey] | None = None
    within: int = TOLERANCE
    #: Bits of the decoded page that it is about; 0: any.
    depth: int = 0


def signed_bytes(page: Page) -> Grey:
    """Lifted so that the lowest becomes 0."""
    image = page.turned()
    values = values_of(image, "b")
    lift = min(0, min(values))
    return Image.frombytes("L", image.size, bytes(value - lift for value in values))


def inverted(page: Page) -> Grey:
    """Of 16 bits."""
    return array("H", (65_535 - value for value in values_of(page.turned(), "H")))


def through_libtiff(page: Page) -> Grey:
    """The picture as Pillow reads compressed ones, whose strips and planes it leaves to libtiff."""
    TiffImagePlugin.READ_LIBTIFF = True
    try:
        return grey(read_page(page.path, page.number).turned())
    finally:
        TiffImagePlugin.READ_LIBTIFF = False


def has_alpha_plane(page: Page) -> bool:
    """Whether alpha has a plane of its own that Pillow reads for something else."""
    return page.tag(284, 1) == 2 and (page.mode in ("LA", "La") or (page.mode == "RGBA" and 338 not in page.tags))


def bits_of_png(page: Page) -> int:
    """Bits of a sample; 0 for other formats."""
    with open(page.path, "rb") as file:
        head = file.read(25)
    return head[24] if page.image.format == "PNG" else 0


def with_whole_transparency(page: Page) -> Grey:
    """The transparent grey value of 2 or 4 bits, as one of 8."""
    image = page.turned()
    image.info["transparency"] *= 255 // (2 ** bits_of_png(page) - 1)
    return grey(image)


def is_turned_outside_exif(page: Page) -> bool:
    """Whether something turns the picture, and EXIF does not."""
    exif = Image.Exif()
    exif.load(page.image.info.get("exif", b""))
    return page.image.format != "TIFF" and ORIENTATION not in exif and page.image.getexif().get(ORIENTATION, 1) != 1


EXCEPTIONS: Sequence[Allowed] = (
    Allowed(
        "CMYK",
        "Inks go through their colour profile, or a usual one of print. Pillow takes 255 minus ink for light.",
        lambda page: page.mode == "CMYK",
        within=255,
    ),
    Allowed(
        "YCbCr TIFF without compression",
        "Becomes RGB by its own coefficients and subsampling, as Pillow has it with compressed ones, and then luma.",
        lambda page: page.tag(262, 0) == 6 and page.tag(259, 1) == 1,
        through_libtiff,
    ),
    Allowed(
        "colours of 16 bits in planes, without compression (TIFF)",
        "Are read as they are with compressed ones. Pillow takes their bytes for 8-bit samples.",
        lambda page: page.tag(284, 1) == 2 and page.tag(258, 1) == 16 and page.tag(259, 1) == 1,
        through_libtiff,
        within=2,
    ),
    Allowed(
        "alpha in a plane of its own (TIFF)",
        "Is laid over black. Pillow loses it beside grey, and divides by it beside colours if it is not described.",
        has_alpha_plane,
        within=255,
    ),
    Allowed(
        "16-bit colours with alpha",
        "Are multiplied with all their bits. Pillow drops the lower 8 of each before, which makes up to 2 of 255.",
        lambda page: page.mode in ("RGBA", "LA"),
        within=2,
        depth=16,
    ),
    Allowed(
        "signed 8-bit TIFF",
        "Negative values are lifted, so that the lowest becomes 0. Pillow takes them for values above 127.",
        lambda page: page.mode == "L" and page.tag(339, 1) == 2,
        signed_bytes,
    ),
    Allowed(
        "unsigned 32-bit TIFF",
        "Values from 2^31 on are large. Pillow takes them for negative ones.",
        lambda page: page.mode == "I" and page.tag(258, 1) == 32 and page.tag(339, 1) == 1,
        lambda page: scaled(values_of(page.turned(), "I")),
    ),
    Allowed(
        "16-bit TIFF with white as zero",
        "Is turned to black as zero, as with 8 bits. Pillow does not.",
        lambda page: page.mode.startswith("I;16") and page.tag(262, 1) == 0,
        inverted,
    ),
    Allowed(
        "transparent grey of a PNG with 2 or 4 bits",
        "Is one of its own 4 or 16 values. Pillow looks for it among 256.",
        lambda page: page.mode == "L" and bits_of_png(page) in (2, 4) and "transparency" in page.image.info,
        with_whole_transparency,
    ),
    Allowed(
        "run lengths of a BMP, where Pillow is older than 13",
        "Are read as their twins without run lengths. Before, Pillow loses nibbles, and the place after a jump.",
        lambda page: OLD and page.image.format == "BMP" and page.image.info.get("compression") in (1, 2),
        within=255,
    ),
    Allowed(
        "YCbCr TIFF that is turned or in tiles, where Pillow is older than 13",
        "Is read as one that is not. Before, Pillow turns some of them twice, and its libtiff errs at edges of tiles.",
        lambda page: OLD and page.tag(262, 0) == 6 and (page.tag(ORIENTATION, 1) != 1 or 322 in page.tags),
        within=255,
    ),
    Allowed(
        "orientation outside EXIF",
        "EXIF and the tag of a TIFF turn a picture. Pillow also follows XMP and old text chunks of ImageMagick.",
        is_turned_outside_exif,
        lambda page: grey(page.image),
    ),
)


class Refused(Exception):
    """Pillow does not read a page."""


@dataclass
class Decoded:
    """What was told of one page."""

    pages: int
    code: str | None = None
    message: str = ""
    width: int = 0
    height: int = 0
    depth: int = 0
    samples: bytes = b""


def read_page(path: bytes, number: int) -> Page:
    """A page as Pillow reads it."""
    try:
        image = Image.open(os.fsdecode(path), formats=FORMATS)
        if number > 1:
            image.seek(number - 1)
        mode = image.mode
        tags = dict(getattr(image, "tag_v2", {}))
        image.load()
        return Page(path, number, image, mode, tags)
    except Exception as error:  # Pillow's plugins raise whatever they meet.
        raise Refused(f"{type(error).__name__}: {error}") from error


def difference(expected: Grey, size: tuple[int, int], ours: Decoded) -> int | str:
    """The greatest of all pixels; or, in words, why they cannot be compared."""
    if size != (ours.width, ours.height):
        return f"Pillow has {size[0]} x {size[1]} pixels, not {ours.width} x {ours.height}"
    if isinstance(expected, Image.Image):
        upper = ours.samples if ours.depth == 8 else ours.samples[1::2]
        decoded = Image.frombytes("L", size, upper)
        extrema: Any = ImageChops.difference(expected, decoded).getextrema()
        return int(extrema[1])
    if ours.depth == 8:
        return "Pillow has more than 8 bits"
    values: array[int] = array("H", ours.samples)
    if sys.byteorder == "big":
        values.byteswap()
    return int(max(abs(there - here) for there, here in zip(expected, values, strict=True)))


def is_blank(expected: Grey) -> bool:
    """Whether all values are equal, each give or take the tolerance."""
    extrema: Any = expected.getextrema() if isinstance(expected, Image.Image) else (min(expected), max(expected))
    return bool(extrema[1] - extrema[0] <= 2 * TOLERANCE)


def compare(page: Page, ours: Decoded) -> tuple[int | str, Allowed | None]:
    """The difference to Pillow's picture, and what explains it."""
    upright = page.turned()

    def measure(expected: Grey, size: tuple[int, int]) -> int | str:
        if ours.code == "blank-image":
            return 0 if is_blank(expected) else "refused as blank, and Pillow's picture is not"
        return difference(expected, size, ours)

    found = measure(grey(upright), upright.size)
    if is_within(found):
        return found, None
    for allowed in EXCEPTIONS:
        if allowed.depth not in (0, ours.depth) or not allowed.applies(page):
            continue
        expected = allowed.instead(page) if allowed.instead else grey(upright)
        size = page.image.size if allowed.applies is is_turned_outside_exif else upright.size
        if is_within(measure(expected, size), allowed.within):
            return found, allowed
    return found, None


def is_within(found: int | str, most: int = TOLERANCE) -> bool:
    """Whether a difference is none."""
    return isinstance(found, int) and found <= most


@dataclass
class Findings:
    """What became of every file and page; each list has a line for a page."""

    files: int = 0
    pages: int = 0
    equal: int = 0
    blank: int = 0
    #: By the name of an exception.
    known: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refused_by_both: list[str] = field(default_factory=list)
    refused_by_pillow: list[str] = field(default_factory=list)
    #: Read by Pillow, by the code with which they were refused.
    refused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    differing: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def judge(self, path: bytes, name: str, number: int, ours: Decoded) -> None:
        """Compares one page and puts it where it belongs."""
        self.pages += 1
        label = f"{name}#page={number}" if ours.pages > 1 else name
        try:
            page = read_page(path, number)
        except Refused as refusal:
            if ours.code:
                self.refused_by_both.append(f"{label}  {ours.code}")
            else:
                self.refused_by_pillow.append(f"{label}  {refusal}")
            return
        if ours.code and ours.code != "blank-image":
            self.refused[ours.code].append(f"{label}  {ours.message}")
            return
        try:
            found, allowed = compare(page, ours)
        except Exception as error:  # What Pillow cannot convert is said, and the next page compared.
            found, allowed = f"{type(error).__name__}: {error}", None
        if is_within(found):
            self.equal += 0 if ours.code else 1
            self.blank += 1 if ours.code else 0
        elif allowed:
            self.known[allowed.name].append(f"{label}  {found}")
        else:
            self.differing.append(f"{label}  {found}  (Pillow: {page.image.format}, mode {page.mode})")

    def count_pages(self, path: bytes, name: str, pages: int) -> None:
        """Sees that no page of a TIFF is passed over; of other formats one picture counts."""
        try:
            with Image.open(os.fsdecode(path), formats=("TIFF",)) as image:
                there = int(image.n_frames)
        except Exception:  # Pillow refuses it, or it is no TIFF.
            return
        if there > pages:
            self.lost.append(f"{name}  {there} pages in Pillow, {pages} here")


def read_messages(stream: BinaryIO, folder: bytes) -> Findings:
    """Takes in what is told, until the stream ends."""
    findings = Findings()
    # To the number of pages that were told of, or refused as a whole.
    waiting: dict[str, int] = {}
    for message, samples in messages(stream):
        if "files" in message:
            waiting = dict.fromkeys(message["files"], 0)
            findings.files = len(waiting)
            continue
        path, name = place(folder, message["path"])
        if message.get("end"):
            told = waiting.pop(message["path"])
            if told == 0:
                findings.lost.append(f"{name}  no page was told of")
            if not message["refused"]:
                findings.count_pages(path, name, told)
            continue
        ours = Decoded(
            pages=message["pages"],
            code=message.get("code"),
            message=message.get("message", ""),
            width=message.get("width", 0),
            height=message.get("height", 0),
            depth=message.get("depth", 0),
            samples=samples,
        )
        waiting[message["path"]] += 1
        findings.judge(path, name, message["page"], ours)
    findings.lost += lost(list(waiting))
    return findings


def report(findings: Findings, every: bool) -> None:
    """Prints the table."""
    show = functools.partial(judging.show, every=every)
    print(f"{findings.files:7}  files, {findings.pages} pages or refused files")
    print(f"{findings.equal:7}  equal to Pillow's, within {TOLERANCE}")
    print(f"{findings.blank:7}  refused as blank, and blank in Pillow")
    show("refused here and by Pillow (other formats, damaged files)", findings.refused_by_both, least=0)
    show("read here, refused by Pillow", findings.refused_by_pillow)
    for code in sorted(findings.refused):
        show(f"refused here as {code}, read by Pillow", findings.refused[code])
    for allowed in EXCEPTIONS:
        show(f"other than Pillow's, as known: {allowed.name}", findings.known[allowed.name], reason=allowed.reason)
    show("other than Pillow's, and nothing explains it (greatest difference)", findings.differing, least=50)
    show("lost: neither decoded nor refused with a code", findings.lost, least=50)


def judge(stream: BinaryIO, folder: bytes, every: bool) -> bool:
    """Compares, prints, and gives whether all is well."""
    findings = read_messages(stream, folder)
    report(findings, every)
    return not (findings.differing or findings.lost)


if __name__ == "__main__":
    judging.run(__doc__, judge)
