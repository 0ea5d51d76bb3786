"""Sends DICOM files to a gateway by pynetdicom, as they are: what is in a file goes over the wire byte for byte.

Prints a line for each that was answered, "<status in hex> <file>", and sends again what was not, until all were; then
"done".
An association that was refused or cut is another try.
"""

import argparse
import ssl
import sys
import time

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE, _config

_config.STORE_SEND_CHUNKED_DATASET = True


def context(options: argparse.Namespace) -> tuple[ssl.SSLContext, str] | None:
    if options.ca is None:
        return None
    made = ssl.create_default_context(cafile=options.ca)
    made.check_hostname = False
    if options.cert:
        made.load_cert_chain(options.cert, options.key)
    return made, "gateway"


def associate(options: argparse.Namespace, proposals: set[tuple[str, str]]):
    ae = AE(ae_title=options.calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    ae.add_requested_context("1.2.840.10008.1.1")
    for sop_class, syntax in sorted(proposals):
        ae.add_requested_context(UID(sop_class), UID(syntax))
    return ae.associate("127.0.0.1", options.port, ae_title=options.called, tls_args=context(options))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--called", default="GATEWAY")
    parser.add_argument("--calling", default="PYNETDICOM")
    parser.add_argument("--tries", type=int, default=1)
    parser.add_argument("--ca")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()

    kinds = {}
    for name in options.files:
        meta = dcmread(name, stop_before_pixels=True, specific_tags=[]).file_meta
        kinds[name] = (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
    left = list(options.files)
    for _ in range(options.tries):
        association = associate(options, set(kinds.values()))
        if not association.is_established:
            print("rejected" if association.is_rejected else "aborted", flush=True)
            time.sleep(0.2)
            continue
        if not options.files:
            print(f"{association.send_c_echo().Status:04x} echo", flush=True)
        while left and association.is_established:
            try:
                status = association.send_c_store(left[0])
            except (RuntimeError, ValueError) as error:
                print(f"not sent {left[0]}: {error}", flush=True)
                break
            if "Status" not in status:
                break
            print(f"{status.Status:04x} {left.pop(0)}", flush=True)
        if association.is_established:
            association.release()
        if not left:
            print("done", flush=True)
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
