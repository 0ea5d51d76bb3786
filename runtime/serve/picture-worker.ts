import { renderOriginal, renderOverlay } from "../explain";
import { applyRecipe, encodePng, type Geometry, oneChannel, RECIPE } from "../imaging";
import type { KeptMap } from "./kept/answers";
import { DamagedPage, openPage, type StoredPage } from "./kept/stored-page";
import { explanationOfMap } from "./scoring";

/** One thread of {@link Pictures}. */

/** Longest side of a picture that is shown, pixels. */
const SHOWN_SIDE = 1024;

export interface OverlayTask {
  readonly page: StoredPage;
  readonly map: KeptMap;
  readonly geometry: Geometry;
  /** Of the strongest place, 0 to 1; what is usual without it. */
  readonly opacity: number | undefined;
}

/** A PNG; errors lose their class on the way out of a thread. */
export type Outcome = { readonly png: Uint8Array } | { readonly damaged: string };

export async function overlay({ page, map, geometry, opacity }: OverlayTask): Promise<Outcome> {
  return outcome(async () => {
    const options = { maxSide: SHOWN_SIDE, ...(opacity === undefined ? {} : { opacity }) };
    return renderOverlay(await openPage(page), geometry, explanationOfMap(map, geometry), options);
  });
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

/** The page itself, once it was seen to be the one that was answered. */
export async function stored(page: StoredPage): Promise<Outcome> {
  return outcome(async () => {
    await openPage(page);
    return page.png;
  });
}

async function outcome(draw: () => Promise<Uint8Array>): Promise<Outcome> {
  try {
    return { png: await draw() };
  } catch (error) {
    if (error instanceof DamagedPage) return { damaged: error.message };
    throw error;
  }
}
