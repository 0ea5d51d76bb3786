import type { GreyImage } from "../../imaging";
import { TextDetector } from "./detector";
import type { Region } from "./regions";

/** One thread of a {@link TextFinder}: an onnxruntime session of its own. */

const detector = TextDetector.open();
// Whoever asks hears of it; nobody may ask.
detector.catch(() => undefined);

export default async function regions(image: GreyImage): Promise<Region[]> {
  return (await detector).regions(image);
}
