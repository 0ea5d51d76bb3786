import { decodeCurated, type GreyImage, pixelSha256 } from "../../imaging";

/** A page as it is stored, and the SHA-256 of the pixels that were answered. */
export interface StoredPage {
  readonly png: Uint8Array;
  readonly sha256: string;
}

/** A stored page that is not the one that was answered. The message completes "Page 1 of the answer X ". */
export class DamagedPage extends Error {}

/** @throws {DamagedPage} */
export async function openPage({ png, sha256 }: StoredPage): Promise<GreyImage> {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  const image = await decodeCurated(bytes).catch((cause: unknown) => {
    throw new DamagedPage("cannot be read any more", { cause });
  });
  if (pixelSha256(image) !== sha256) throw new DamagedPage("has other pixels than it was kept with");
  return image;
}
