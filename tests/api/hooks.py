"""What schemathesis sends where the document says that a body is a scan: scans, and not any bytes."""

import os
import re
from pathlib import Path
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

SCANS = [path.read_bytes() for path in sorted(Path(os.environ["SCANS"]).iterdir())]
INSTANCES = [path.read_bytes() for path in sorted(Path(os.environ["INSTANCES"]).iterdir())]

schemathesis.openapi.media_type("application/octet-stream", st.sampled_from(SCANS))
schemathesis.openapi.format("binary", st.sampled_from(SCANS))
schemathesis.openapi.media_type("application/dicom", st.sampled_from(INSTANCES))
RELATED = [b"--part\r\nContent-Type: application/dicom\r\n\r\n" + each + b"\r\n--part--" for each in INSTANCES]
schemathesis.openapi.media_type("multipart/related", st.sampled_from(RELATED))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Say the boundary of parts, and take a new key for each request.

    With one that was used for another, a right request is refused, and must be.
    """
    for name, value in list((case.headers or {}).items()):
        if name.lower() == "idempotency-key" and re.fullmatch(r"[\x21-\x7e]{1,255}", str(value)):
            case.headers[name] = str(uuid4())
    if case.media_type == "multipart/related":
        case.headers["Content-Type"] = 'multipart/related; type="application/dicom"; boundary=part'
