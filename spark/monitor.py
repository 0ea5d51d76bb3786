"""Watches the current model: what the new scans, its answers and people's labels say of the last days.

One process of the runtime does it on the master, after the scans are scored: it goes by the tables, and measures what
is new of the pictures. Prints the counts as one line of JSON.
"""

from __future__ import annotations

import json
import sys

from arguments import parser, placement
from runtime_process import RuntimeFailure, RuntimeProcess
from session import session

PATIENCE = 3600.0
"""Seconds for the one answer: the first run measures every picture that the model has answered."""


def main() -> None:
    """Run the step."""
    options = parser("Tells day by day how the current model does.").parse_args()
    try:
        # The cluster counts a job as done by its application.
        with session("monitor"):
            runtime = RuntimeProcess(placement(options), PATIENCE)
            try:
                print(json.dumps(runtime.ask({"type": "monitor"}).header), flush=True)
            finally:
                runtime.close()
    except RuntimeFailure as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
