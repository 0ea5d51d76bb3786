"""A storage SCP of pynetdicom: stores reports and captures below a folder, and prints the status and UID of each.

Its port is printed first. What stands in FOLDER/status, in hex, is what it answers with.
"""

import sys
from pathlib import Path

from pynetdicom import AE, evt
from pynetdicom.sop_class import ComprehensiveSRStorage, SecondaryCaptureImageStorage

folder = Path(sys.argv[1])


def store(event: evt.Event) -> int:
    given = folder / "status"
    status = int(given.read_text(), 16) if given.exists() else 0
    instance = event.request.AffectedSOPInstanceUID
    if status == 0:
        number = len(list(folder.glob("*.dcm"))) + 1
        # Byte by byte as it came.
        (folder / f"{number}-{instance}.dcm").write_bytes(event.encoded_dataset(include_meta=False))
    print(f"{status:04x} {instance} {event.assoc.requestor.ae_title} {event.assoc.acceptor.ae_title}", flush=True)
    return status


application = AE(ae_title="ARCHIVE")
application.require_called_aet = True
application.maximum_pdu_size = 4096
for kind in (ComprehensiveSRStorage, SecondaryCaptureImageStorage):
    application.add_supported_context(kind, "1.2.840.10008.1.2.1")
server = application.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
print(server.server_address[1], flush=True)
sys.stdin.read()
server.shutdown()
