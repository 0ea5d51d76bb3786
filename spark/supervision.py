"""A runtime process that is started again when it dies, and the isolation of what it dies of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol
from zipimport import zipimporter

from arguments import Placement
from runtime_process import WINDOW, Frame, RuntimeDied, RuntimeProcess

DEATHS_BEFORE_VERDICT = 2
"""A process may also be ended from outside: only what it dies of twice, alone, is held to be the reason."""


class Answering(Protocol):
    """What the supervision needs of :class:`RuntimeProcess`."""

    def ask_all(self, headers: Sequence[dict[str, Any]]) -> Iterator[Frame]:
        """Answer small requests in their order."""
        ...

    def ask(self, header: dict[str, Any], payload: bytes = b"") -> Frame:
        """Answer one request."""
        ...

    def stream(self, header: dict[str, Any], payload: bytes = b"") -> Iterator[Frame]:
        """Answer one request with several frames."""
        ...

    def kill(self) -> None:
        """End the process."""
        ...


class Supervised:
    """One process at a time, which is replaced when it dies."""

    def __init__(self, start: Callable[[], Answering]) -> None:
        """Start the first process when it is first needed, by `start`."""
        self._start = start
        self._process: Answering | None = None

    def ask(self, header: dict[str, Any], payload: bytes = b"") -> Frame:
        """Ask once more, of a new process, when the process dies of it (or of something else)."""
        try:
            return self._current().ask(header, payload)
        except RuntimeDied:
            self._bury()
            return self._current().ask(header, payload)

    def attempt(self, header: dict[str, Any], payload: bytes = b"") -> Frame:
        """Give the last frame of an answer. Raises RuntimeDied if the process dies of it (or of something else)."""
        try:
            *_, last = self._current().stream(header, payload)
            return last
        except RuntimeDied:
            self._bury()
            raise

    def ask_each(self, headers: Sequence[dict[str, Any]]) -> Iterator[tuple[int, Frame | RuntimeDied]]:
        """Answer every request; where the process dies of one, give its death instead.

        When the process dies, what was sent and not answered is suspected: it is halved until one request is alone. The
        answers come as (position, answer), not in the order of the positions.
        """
        batches: list[list[int]] = [list(range(len(headers)))]
        deaths: dict[int, int] = {}
        while batches:
            batch = batches.pop()
            answered = 0
            try:
                for frame in self._current().ask_all([headers[position] for position in batch]):
                    position = batch[answered]
                    answered += 1
                    yield position, frame
            except RuntimeDied as died:
                self._bury()
                rest = batch[answered:]
                if len(rest) == 1:
                    position = rest[0]
                    deaths[position] = deaths.get(position, 0) + 1
                    if deaths[position] >= DEATHS_BEFORE_VERDICT:
                        yield position, died
                    else:
                        batches.append(rest)
                    continue
                suspects, others = rest[:WINDOW], rest[WINDOW:]
                half = (len(suspects) + 1) // 2
                batches.extend(part for part in (others, suspects[half:], suspects[:half]) if part)

    def close(self) -> None:
        """End the process."""
        self._bury()

    def _current(self) -> Answering:
        if self._process is None:
            self._process = self._start()
        return self._process

    def _bury(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None


_shared: dict[Placement, Supervised] = {}


def shared_runtime(placement: Placement) -> Supervised:
    """The runtime of this Python worker: one for all tasks that it works on, one after the other."""
    _forget_archives()
    if placement not in _shared:
        _shared[placement] = Supervised(lambda: RuntimeProcess(placement))
    return _shared[placement]


def _forget_archives() -> None:
    """Spare the next task of this worker the reading of PySpark's own archives, 80 ms.

    Before each task PySpark invalidates what Python knows of the places it imports from, and Python then reads the
    directory of every zip file among them anew. What is not known is not read; an import makes it known again.
    """
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[path]
