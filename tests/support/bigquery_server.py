"""Starts the BigQuery server of the tests, with the arguments of `bqemulator`.

It holds a thread for every open call of AppendRows, and has as many as the machine has processors and four: on a
small one the seventh writer waits for ever. Google's takes thousands. It also copies a table with every request that
adds to it, for questions about the past, which nobody asks here: adding ten thousand rows one by one would copy fifty
million. And its threads share one connection to DuckDB: where one asks while another adds rows, each may wait for what
the other holds (the connection, Python's own lock), or take the other's answer. Here they go one after the other.
"""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import grpc.aio
from bqemulator.cli import main
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.versioning.snapshots import SnapshotManager

CALLS = 256
TURN = threading.RLock()


P = ParamSpec("P")
R = TypeVar("R")


def in_turn(work: Callable[P, R]) -> Callable[P, R]:
    """Does the work of one thread at a time."""

    @wraps(work)
    def worked(*arguments: P.args, **named: P.kwargs) -> R:
        with TURN:
            return work(*arguments, **named)

    return worked


class Connection:
    """DuckDB's, of which one thread at a time asks for something."""

    def __init__(self, connection: object) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        found = getattr(self._connection, name)
        return in_turn(found) if callable(found) else found


def no_snapshot(*_arguments: object, **_named: object) -> None:
    """Copies nothing."""


shared = DuckDBEngine.connection.fget
DuckDBEngine.connection = property(lambda engine: Connection(shared(engine)))
DuckDBEngine.execute = in_turn(DuckDBEngine.execute)
DuckDBEngine.fetch_arrow = in_turn(DuckDBEngine.fetch_arrow)
grpc.aio.server = partial(grpc.aio.server, ThreadPoolExecutor(CALLS))
SnapshotManager.capture = no_snapshot
sys.exit(main())
