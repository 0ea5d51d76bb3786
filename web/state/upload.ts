import type { Prediction } from "../../runtime/serve/schemas";
import { ApiError, NO_ANSWER, PREDICTIONS, refusal } from "./api";

/**
 * Sends a scan. `fetch` does not tell how much of a body has gone, so this is the older way.
 *
 * @param onProgress share of the bytes that have gone, 0 to 1
 * @throws {ApiError} where it is refused or there is no answer
 */
export function send(file: Blob, idempotency: string, onProgress: (share: number) => void): Promise<Prediction> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", PREDICTIONS);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("idempotency-key", idempotency);
    request.upload.onprogress = ({ lengthComputable, loaded, total }) => {
      if (lengthComputable && total > 0) onProgress(loaded / total);
    };
    request.upload.onload = () => onProgress(1);
    request.onload = () => {
      if (request.status === 200) resolve(JSON.parse(request.responseText) as Prediction);
      else reject(refusal(request.status, request.responseText, request.getResponseHeader("retry-after")));
    };
    request.onerror = () =>
      reject(new ApiError(0, `${NO_ANSWER} A file that has moved meanwhile cannot be read either.`));
    request.send(file);
  });
}
