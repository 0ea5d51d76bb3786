"""What a user of FastAPI would write in place of `npm run serve`: the measure for its speed.

One process with one thread that computes; the benchmark starts one a core. `POST /v1/predictions` takes the bytes of a
picture: decoding and recipe by OpenCV, all views of the model, the mean of their log odds, calibration, and the map.
What the overlay needs is kept as files, as any other process may be asked for it. Prints its URL once it has answered.
"""

from __future__ import annotations

import argparse
import json
import socket
import uuid
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

from opencv_recipe import SIDE, Fitted, Pixels, fit
from serving_engines import ENGINES
from serving_views import Views

COVER = 0.65
"""How much of the picture the strongest evidence covers."""
CONNECTIONS = 2048


class Scans:
    """Answers for scans, and keeps what their overlays need."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        """Load the model. The configuration is that of bench/serving-sides.ts."""
        self.engine = ENGINES[configuration["engine"]](configuration)
        self.views = Views(configuration["views"])
        self.temperature = float(configuration["temperature"])
        self.offset = float(configuration["offset"])
        self.kept = Path(configuration["kept"])
        self.kept.mkdir(parents=True, exist_ok=True)
        # A first answer brings what later ones find in memory.
        self.compute(np.zeros((SIDE, SIDE), np.uint8))

    def compute(self, square: Pixels) -> tuple[float, Pixels]:
        """Give the calibrated probability of a square in the recipe's form, and its map."""
        shown = self.views.show(square.astype(np.float32) / np.float32(255))
        logits, maps = self.engine(shown)
        log_odds = float(logits.mean()) / self.temperature + self.offset
        return float(1 / (1 + np.exp(-log_odds))), self.views.mean_map(maps)

    def answer(self, body: bytes) -> dict[str, Any]:
        """Answer for the bytes of one picture. Raises HTTPException if they are none."""
        fitted = fit(decode(body))
        probability, saliency = self.compute(fitted.square)
        request = uuid.uuid4().hex
        (self.kept / f"{request}.scan").write_bytes(body)
        kept = {"crop": fitted.crop, "pads": fitted.pads, "map": saliency.tolist()}
        (self.kept / f"{request}.json").write_text(json.dumps(kept))
        path = f"/v1/predictions/{request}"
        return {
            "id": request,
            "probability": probability,
            "overlay": f"{path}/overlay",
            "map": {"path": f"{path}/map"},
        }

    def explanation(self, request: str) -> dict[str, Any]:
        """Read what was kept of an answer. Raises HTTPException if nothing was."""
        try:
            kept: dict[str, Any] = json.loads((self.kept / f"{uuid.UUID(request).hex}.json").read_text())
        except (ValueError, OSError) as error:
            raise HTTPException(404, "Nothing is kept of a prediction with this id.") from error
        return kept

    def overlay(self, request: str) -> bytes:
        """Draw the picture with the map over it, as PNG."""
        kept = self.explanation(request)
        image = decode((self.kept / f"{uuid.UUID(request).hex}.scan").read_bytes())
        fitted = Fitted(np.empty(0), tuple(kept["crop"]), tuple(kept["pads"]))
        return draw(image, fitted, np.array(kept["map"], np.float32))


def decode(body: bytes) -> Pixels:
    """Give one grey channel of a picture, 8 or 16 bits. Raises HTTPException if it is none."""
    image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED) if body else None
    if image is None:
        raise HTTPException(422, "The file does not decode to a picture.")
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY if image.shape[2] == 4 else cv2.COLOR_BGR2GRAY)
    return image


def draw(image: Pixels, fitted: Fitted, saliency: Pixels) -> bytes:
    """Lay a signed map over a page: what speaks for Cancer, brightest where it is strongest."""
    (left, top, right, bottom), (x, y) = fitted.crop, fitted.pads
    square = np.maximum(cv2.resize(saliency, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), 0)
    strongest = float(square.max())
    inside = square[y : SIDE - y, x : SIDE - x] / (strongest if strongest > 0 else 1)
    evidence = np.zeros(image.shape, np.float32)
    evidence[top:bottom, left:right] = cv2.resize(inside, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    grey = image if image.dtype == np.uint8 else cv2.normalize(image, np.empty(0), 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    colours = cv2.applyColorMap(cv2.convertScaleAbs(evidence, alpha=255), cv2.COLORMAP_INFERNO)
    cover = cv2.cvtColor(COVER * evidence, cv2.COLOR_GRAY2BGR)
    page = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.float32)
    return bytes(cv2.imencode(".png", cv2.convertScaleAbs(page + (colours - page) * cover))[1])


def as_json(value: dict[str, Any]) -> Response:
    """Answer without FastAPI's own encoder, which looks at every value first."""
    return Response(json.dumps(value), media_type="application/json")


def application(scans: Scans) -> FastAPI:
    """Make the routes. They compute where they are called: there is one thread to compute in."""
    app = FastAPI()

    async def ready() -> Response:
        return as_json({"ready": True})

    async def predict(request: Request) -> Response:
        return as_json(scans.answer(await request.body()))

    async def overlay(request: str) -> Response:
        return Response(scans.overlay(request), media_type="image/png")

    async def saliency(request: str) -> Response:
        rows = scans.explanation(request)["map"]
        return as_json({"rows": len(rows), "columns": len(rows[0]), "values": [value for row in rows for value in row]})

    app.add_api_route("/readyz", ready)
    app.add_api_route("/v1/predictions", predict, methods=["POST"])
    app.add_api_route("/v1/predictions/{request}/overlay", overlay)
    app.add_api_route("/v1/predictions/{request}/map", saliency)
    return app


def main() -> None:
    """Serve on a free port of this machine."""
    arguments = argparse.ArgumentParser(description="Answer for scans with FastAPI.")
    arguments.add_argument("--configuration", required=True, type=Path, help="a file of JSON")
    options = arguments.parse_args()
    cv2.setNumThreads(1)
    app = application(Scans(json.loads(options.configuration.read_text())))
    listening = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)
    print(f"Serving on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    settings = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(settings).run(sockets=[listening])


if __name__ == "__main__":
    main()
