import type { MessagePort } from "node:worker_threads";
import { paintOverlay, renderOriginal, renderOverlay, SHOWN_SIDE } from "../explain";
import {
  applyRecipe,
  decodeScan,
  encodePng,
  type Geometry,
  type ImageLimits,
  oneChannel,
  perceptualHash,
  RECIPE,
} from "../imaging";
import type { EncodedPage, KeptMap } from "./kept/answers";
import { DamagedPage, openPage, type StoredPage } from "./kept/stored-page";
import { explanationOfMap } from "./scoring";

/** One thread of {@link Pictures}. */

export interface OverlayTask {
  readonly page: StoredPage;
  readonly map: KeptMap;
  readonly geometry: Geometry;
  /** Of the strongest place, 0 to 1; what is usual without it. */
  readonly opacity?: number | undefined;
}

/** What was made; errors lose their class on the way out of a thread. */
export type Outcome<T = Uint8Array> = { readonly made: T } | { readonly damaged: string };

export async function overlay(task: OverlayTask): Promise<Outcome> {
  return outcome(async () => renderOverlay(...(await overlayOf(task))));
}

/** The same as pixels. */
export async function painted(task: OverlayTask): Promise<Outcome<Painted>> {
  return outcome(async () => {
    const { width, height, samples } = await paintOverlay(...(await overlayOf(task)));
    return { width, height, rgb: samples };
  });
}

/** Red, green and blue of each pixel. */
export interface Painted {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

async function overlayOf({ page, map, geometry, opacity }: OverlayTask): Promise<Parameters<typeof paintOverlay>> {
  const options = { maxSide: SHOWN_SIDE, ...(opacity === undefined ? {} : { opacity }) };
  return [await openPage(page), geometry, explanationOfMap(map, geometry), options];
}

export async function original(page: StoredPage): Promise<Outcome> {
  return outcome(async () => renderOriginal(await openPage(page), { maxSide: SHOWN_SIDE }));
}

/** What the model saw of a page. */
export async function seen(page: StoredPage): Promise<Outcome> {
  return outcome(async () => {
    const pixels = oneChannel(applyRecipe(await openPage(page)).pixels);
    return encodePng({ width: RECIPE.side, height: RECIPE.side, depth: 8, pixels });
  });
}

/** The page's perceptual hash: 64 hex digits. */
export async function fingerprint(page: StoredPage): Promise<Outcome<string>> {
  return outcome(async () => perceptualHash(await openPage(page)));
}

/** The page itself, once it was seen to be the one that was answered. */
export async function stored(page: StoredPage): Promise<Outcome> {
  return outcome(async () => {
    await openPage(page);
    return page.png;
  });
}

export interface PagesTask {
  readonly bytes: Uint8Array;
  readonly limits: Partial<ImageLimits>;
  /** Numbers of the pages that are wanted, from 1. */
  readonly pages: readonly number[];
}

/** Sends an {@link EncodedPage} after the other, each when something is said of the one before, until the port is closed. */
export async function pages({ bytes, limits, pages, port }: PagesTask & { readonly port: MessagePort }): Promise<void> {
  const wanted = new Set(pages);
  // From the beginning on: it is said once, whatever is being done then.
  const left = new Promise<boolean>((resolve) => {
    port.once("close", () => resolve(false));
  });
  const goOn = () => Promise.race([left, new Promise<boolean>((resolve) => port.once("message", () => resolve(true)))]);
  try {
    for await (const decoded of decodeScan(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), limits)) {
      if (!wanted.has(decoded.page) || !("image" in decoded)) continue;
      const { width, height, depth } = decoded.image;
      const png = await encodePng(decoded.image, { quick: true });
      port.postMessage({ page: decoded.page, width, height, depth, png } satisfies EncodedPage);
      if (!(await goOn())) return;
    }
  } finally {
    port.close();
  }
}

async function outcome<T>(make: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { made: await make() };
  } catch (error) {
    if (error instanceof DamagedPage) return { damaged: error.message };
    throw error;
  }
}
