"""Stores files with the DICOMweb client of ImagingDataCommons, and prints what it understood of the answer."""

import json
import sys

import pydicom
from dicomweb_client.api import DICOMwebClient

url, study, *files = sys.argv[1:]
client = DICOMwebClient(url=url)
answer = client.store_instances([pydicom.dcmread(file) for file in files], study_instance_uid=study or None)
print(
    json.dumps(
        {
            "stored": [str(item.ReferencedSOPInstanceUID) for item in answer.get("ReferencedSOPSequence", [])],
            "failed": {
                str(item.ReferencedSOPInstanceUID): item.FailureReason for item in answer.get("FailedSOPSequence", [])
            },
        }
    )
)
