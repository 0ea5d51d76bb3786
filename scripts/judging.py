"""What judges of decoded pictures have in common: what they are told, how they list findings, their command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NoReturn

SHOWN = 3
"""Entries of a line that are named where not all are."""


def messages(stream: BinaryIO) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Give each message and the samples behind it, until the stream ends or whoever decodes has died."""
    for line in stream:
        if not line.endswith(b"\n"):
            return
        message: dict[str, Any] = json.loads(line)
        samples = stream.read(message.get("bytes", 0))
        if len(samples) < message.get("bytes", 0):
            return
        yield message, samples


def place(folder: bytes, path: str) -> tuple[bytes, str]:
    """Give where a file lies, and its name for people. `path`: as a message has it, a character a byte."""
    raw = path.encode("latin-1")
    return os.path.join(folder, raw), os.fsdecode(raw)


def lost(waiting: Sequence[str]) -> list[str]:
    """Give the names of files of which nothing more was told."""
    return [os.fsdecode(path.encode("latin-1")) for path in waiting]


def show(title: str, entries: Sequence[str], *, every: bool, reason: str = "", least: int = SHOWN) -> None:
    """Print how many entries there are, and the first of them, or all."""
    print(f"{len(entries):7}  {title}")
    if reason:
        print(f"           {reason}")
    shown = entries if every else entries[:least]
    for entry in shown:
        print(f"           - {entry}")
    if len(shown) < len(entries) and shown:
        print(f"           - and {len(entries) - len(shown)} more (--list names them)")


def run(description: str | None, judge: Callable[[BinaryIO, bytes, bool], bool]) -> NoReturn:
    """Run a judge, which prints what it found. `judge`: gives of a stream, a folder and `--list` if all is well."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("--list", action="store_true", help="name every file below each line, not only the first")
    given = arguments.parse_args()
    # Names of files are bytes, and need not be text.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # Node, whose output it is too, may have made a pipe of it that is not waited for.
    os.set_blocking(sys.stdout.fileno(), True)
    warnings.simplefilter("ignore")
    try:
        sys.exit(0 if judge(sys.stdin.buffer, os.fsencode(given.folder), given.list) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
