"""Starts the BigQuery server of the tests, with the arguments of `bqemulator`.

It holds a thread for every open call of AppendRows, and has as many as the machine has processors and four: on a
small one the seventh writer waits for ever. Google's takes thousands. It also copies a table with every request that
adds to it, for questions about the past, which nobody asks here: adding ten thousand rows one by one would copy fifty
million.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc.aio
from bqemulator.cli import main
from bqemulator.versioning.snapshots import SnapshotManager

CALLS = 256


def no_snapshot(*_arguments: object, **_named: object) -> None:
    """Copies nothing."""


grpc.aio.server = partial(grpc.aio.server, ThreadPoolExecutor(CALLS))
SnapshotManager.capture = no_snapshot
sys.exit(main())
