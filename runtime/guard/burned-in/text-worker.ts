import type { GreyImage } from "../../imaging";
import { TextDetector } from "./detector";
import type { FoundText } from "./text-finder";

/** One thread of a {@link TextFinder}: an onnxruntime session of its own. */

const detector = TextDetector.open();
// Whoever asks hears of it; nobody may ask.
detector.catch(() => undefined);

export default async function find(image: GreyImage): Promise<FoundText[]> {
  return (await detector).find(image);
}
