"""What schemathesis sends where the document says that a body is a scan: scans, and not any bytes."""

import os
import re
from pathlib import Path
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

SCANS = [path.read_bytes() for path in sorted(Path(os.environ["SCANS"]).iterdir())]

schemathesis.openapi.media_type("application/octet-stream", st.sampled_from(SCANS))
schemathesis.openapi.format("binary", st.sampled_from(SCANS))


@schemathesis.hook
def map_headers(context, headers):
    """Takes a new key for each request: with one that was used for another, a right request is refused, and must be."""
    for name in headers or {}:
        if name.lower() == "idempotency-key" and re.fullmatch(r"[\x21-\x7e]{1,255}", str(headers[name])):
            headers[name] = str(uuid4())
    return headers
