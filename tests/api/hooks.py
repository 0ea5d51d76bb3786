"""What schemathesis sends where the document says that a body is a scan: scans, and not any bytes."""

import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

SCANS = [path.read_bytes() for path in sorted(Path(os.environ["SCANS"]).iterdir())]

schemathesis.openapi.media_type("application/octet-stream", st.sampled_from(SCANS))
schemathesis.openapi.format("binary", st.sampled_from(SCANS))
