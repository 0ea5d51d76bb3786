"""A Node process of the project's runtime, and the frames that are exchanged with it."""

from __future__ import annotations

import atexit
import json
import os
import select
import struct
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from arguments import Placement

LENGTHS = struct.Struct(">II")
"""Length of the header and of the payload, see runtime/platform/framed.ts."""

WINDOW = 8
"""Requests that are sent ahead of the answer that is read: what the runtime works on at a time."""


@dataclass(frozen=True)
class Frame:
    """One message: a JSON object and bytes."""

    header: dict[str, Any]
    payload: bytes = field(default=b"", repr=False)


class RuntimeDied(Exception):
    """The process ended, or no longer answered, before it had answered everything."""


class RuntimeFailure(Exception):
    """The process could not do its work, and not because of what it was given."""


class RuntimeProcess:
    """One process, which answers requests in their order until it is closed.

    It leads a session of its own, so that Ctrl-C reaches the driver and not the processes below it; it ends when its
    input does, also when the process that started it was killed.
    """

    def __init__(self, placement: Placement, patience: float = 120.0) -> None:
        """Start the process. `patience`: seconds without an answer after which it counts as dead."""
        self._patience = patience
        inherited = {key: value for key, value in os.environ.items() if key not in ("NODE_OPTIONS", "LOG_LEVEL")}
        try:
            self._process = subprocess.Popen(
                [placement.node, placement.runtime],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=-1,
                env={**inherited, **placement.env},
                start_new_session=True,
            )
        except OSError as error:
            raise RuntimeFailure(f"{placement.node} {placement.runtime} does not start: {error}") from error
        self._buffer = bytearray()
        atexit.register(self.kill)
        try:
            self.ask({"type": "hello"})
        except RuntimeDied as died:
            raise RuntimeFailure(f"{placement.runtime} does not run: {died}. What it said stands above.") from died

    @property
    def pid(self) -> int:
        """Of the Node process."""
        return self._process.pid

    def ask(self, header: dict[str, Any], payload: bytes = b"") -> Frame:
        """Send one request and read its one answer."""
        self._send(Frame(header, payload))
        return self._receive()

    def stream(self, header: dict[str, Any], payload: bytes = b"") -> Iterator[Frame]:
        """Send one request and read the frames of its answer until the last."""
        self._send(Frame(header, payload))
        while True:
            frame = self._receive()
            yield frame
            if not frame.header.get("more"):
                return

    def ask_all(self, headers: Iterable[dict[str, Any]]) -> Iterator[Frame]:
        """Read the answers to small requests, in their order; some are sent ahead."""
        waiting: deque[None] = deque()
        for header in headers:
            if len(waiting) == WINDOW:
                waiting.popleft()
                yield self._receive()
            self._send(Frame(header))
            waiting.append(None)
        for _ in waiting:
            yield self._receive()

    def close(self) -> None:
        """Let the process end by itself; end it if it does not."""
        try:
            self._pipe(self._process.stdin).close()
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.kill()

    def kill(self) -> None:
        """End the process at once. Harmless if it has ended."""
        atexit.unregister(self.kill)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                self._pipe(pipe).close()
            except OSError:
                pass

    def _send(self, frame: Frame) -> None:
        header = json.dumps(frame.header, separators=(",", ":")).encode()
        stdin = self._pipe(self._process.stdin)
        try:
            stdin.write(LENGTHS.pack(len(header), len(frame.payload)))
            stdin.write(header)
            stdin.write(frame.payload)
            stdin.flush()
        except (OSError, ValueError) as error:
            raise RuntimeDied(self._ending()) from error

    def _receive(self) -> Frame:
        header_length, payload_length = LENGTHS.unpack(self._read(LENGTHS.size))
        header = json.loads(self._read(header_length))
        payload = self._read(payload_length)
        if "error" in header:
            raise RuntimeFailure(str(header["error"]))
        return Frame(header, payload)

    def _read(self, size: int) -> bytes:
        stdout = self._pipe(self._process.stdout).fileno()
        deadline = time.monotonic() + self._patience
        while len(self._buffer) < size:
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.kill()
                raise RuntimeDied(f"it gave no answer in {self._patience:.0f} s")
            chunk = os.read(stdout, 1 << 20)
            if not chunk:
                raise RuntimeDied(self._ending())
            self._buffer += chunk
        result = bytes(self._buffer[:size])
        del self._buffer[:size]
        return result

    def _ending(self) -> str:
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
            return "it closed its output"
        return f"it was ended by signal {-status}" if status < 0 else f"it exited with {status}"

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe
