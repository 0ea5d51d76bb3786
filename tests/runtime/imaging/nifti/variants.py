"""Writes NIfTI volumes of every type, order, orientation and form into the folder that is given."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import inv_ornt_aff

FOLDER = Path(sys.argv[1])
random = np.random.default_rng(7)
SIZE = (34, 41, 37)


def head(size: tuple[int, ...] = SIZE, top: float = 1000) -> np.ndarray:
    """No two of its mirror images are alike; the first and the last slices of every axis are empty."""
    grid = np.meshgrid(*[np.linspace(-1, 1, n) for n in size[:3]], indexing="ij")
    ball = sum((axis - shift) ** 2 for axis, shift in zip(grid, (0.1, -0.15, 0.05), strict=True)) < 0.62
    rising = (grid[0] + 2 * grid[1] + 4 * grid[2] + 7) / 14 * top
    return np.where(ball, rising + random.uniform(0, top / 50, size[:3]), 0)


def affine(spacing: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    """To the right, the front and the head."""
    return np.diag([*spacing, 1.0])


def save(name: str, image: nib.Nifti1Image) -> None:
    """Writes it below its name."""
    nib.save(image, FOLDER / name)


TYPES = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64, np.float32, np.float64)
for kind, order, version in itertools.product(TYPES, "<>", (nib.Nifti1Image, nib.Nifti2Image)):
    signed = np.dtype(kind).kind != "u"
    values = head(top=100 if np.dtype(kind).itemsize == 1 else 1000) - (20 if signed else 0)
    if np.dtype(kind).itemsize > 2:
        values = values * 1000.5
    data = values.astype(np.dtype(kind).newbyteorder(order))
    made = version(data, affine(), dtype=kind, header=version.header_class(endianness=order))
    made.header.set_data_dtype(kind)
    number = 1 if version is nib.Nifti1Image else 2
    save(f"type-{np.dtype(kind).name}-{'little' if order == '<' else 'big'}-{number}.nii", made)

for order in itertools.permutations(range(3)):
    for signs in itertools.product((1, -1), repeat=3):
        to = np.array(list(zip(order, signs, strict=True)), float)
        size = tuple(SIZE[axis] for axis in order)
        name = "".join(f"{'+' if sign > 0 else '-'}{axis}" for axis, sign in zip(order, signs, strict=True))
        turned = inv_ornt_aff(to, size)
        turned[:3, 3] = 0
        for form in ("sform", "qform"):
            made = nib.Nifti1Image(head(size).astype(np.int16), None)
            made.header.set_sform(turned, code=1 if form == "sform" else 0)
            made.header.set_qform(turned, code=1 if form == "qform" else 0)
            save(f"turned-{form}-{name}.nii.gz", nib.Nifti1Image(made.get_fdata().astype(np.int16), None, made.header))

for axis in range(3):
    spacing = tuple(4.5 if i == axis else 0.9 for i in range(3))
    save(f"thick-{axis}.nii", nib.Nifti1Image(head().astype(np.int16), affine(spacing)))
save("oblong.nii", nib.Nifti1Image(head().astype(np.int16), affine((1, 1.3, 1.2))))
save("oblong-2.nii", nib.Nifti1Image(head().astype(np.int16), affine((1.4, 1, 1.1))))
for degrees in (20, 40):
    a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    tilted = np.array([[1.0, 0, 0, 5], [0, a, -b, -3], [0, b, a, 2], [0, 0, 0, 1]])
    save(f"tilted-{degrees}.nii", nib.Nifti1Image(head().astype(np.int16), tilted))

plain = nib.Nifti1Image(head().astype(np.int16), None)
plain.header.set_sform(None, code=0)
plain.header.set_qform(None, code=0)
save("no-form.nii", plain)
both = nib.Nifti1Image(head().astype(np.int16), affine())
both.header.set_qform(np.diag([-1, -1, 1, 1]), code=1)
both.header.set_sform(np.diag([1, -1, 1, 1]), code=2)
save("both-forms.nii", nib.Nifti1Image(np.asanyarray(both.dataobj), None, both.header))

for name, slope, inter in (("scaled", 0.37, -12.5), ("falling", -2.0, 3.0), ("shifted", 1.0, 500.0)):
    made = nib.Nifti1Image(head().astype(np.int16), affine())
    made.header.set_slope_inter(slope, inter)
    save(f"{name}.nii", made)
for name, low, high in (("window", 200.0, 700.0), ("window-empty", 500.0, 500.0), ("window-wide", -1000.0, 5000.0)):
    for kind in (np.uint8, np.int16, np.float32):
        made = nib.Nifti1Image((head() if kind != np.uint8 else head(top=250)).astype(kind), affine())
        made.header["cal_min"], made.header["cal_max"] = (
            low / (4 if kind == np.uint8 else 1),
            high / (4 if kind == np.uint8 else 1),
        )
        save(f"{name}-{np.dtype(kind).name}.nii", made)

for name, slope, inter in (("rising", 0.5, 300), ("falling", -0.5, 900)):
    made = nib.Nifti1Image(head().astype(np.int16), affine())
    made.header.set_slope_inter(slope, inter)
    made.header["cal_min"], made.header["cal_max"] = 600, 850
    save(f"window-{name}.nii", made)

holes = head().astype(np.float32)
holes[holes == 0] = np.nan
holes[20, 20, 18:22] = (np.inf, -np.inf, np.nan, 3)
save("holes.nii.gz", nib.Nifti1Image(holes, affine()))
gap = head().astype(np.int16)
gap[:, :, 18] = 0
save("gap.nii", nib.Nifti1Image(gap, affine()))
many = np.stack([head(), head() * 2, head() + 5], axis=-1).astype(np.int16)
save("many.nii.gz", nib.Nifti1Image(many, affine()))
save("flat.nii", nib.Nifti1Image(head()[:, :, 18].astype(np.int16), affine()))
save("one-slice.nii", nib.Nifti1Image(head()[:, :, 18:19].astype(np.int16), affine((1, 1, 5))))
noted = nib.Nifti1Image(head().astype(np.int16), affine())
noted.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"taken on a Monday" * 50))
save("extension.nii", noted)
save("blank.nii.gz", nib.Nifti1Image(np.full(SIZE, 7, np.int16), affine()))
colours = np.zeros(SIZE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
save("colours.nii", nib.Nifti1Image(colours, affine()))
save("complex.nii", nib.Nifti1Image(head().astype(np.complex64), affine()))
# Its name says something else.
(FOLDER / "packed.nii").write_bytes((FOLDER / "many.nii.gz").read_bytes())
(FOLDER / "named.dcm").write_bytes((FOLDER / "extension.nii").read_bytes())
