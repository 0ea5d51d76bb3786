import type { Verdict } from "../../runtime/model";
import type { Workspace } from "../../runtime/platform/workspace";
import { currentModel, setCurrent } from "../../runtime/registry";
import { BRIGHT_SPOT, brightSpotFiles } from "./bright-spot";

/** Puts the bright-spot model into a workspace. */
export async function storeModel(
  { buckets }: Workspace,
  id: string = BRIGHT_SPOT.id,
  recipe: string = BRIGHT_SPOT.recipe,
): Promise<void> {
  for (const [name, content] of await brightSpotFiles({ id, recipe }))
    await buckets.models.write(`${id}/${name}`, content);
}

/** Makes a model the current one. */
export async function promote(
  { buckets }: Workspace,
  id: string = BRIGHT_SPOT.id,
  more: { readonly verdict?: Verdict } = {},
): Promise<void> {
  const next = { model: id, reason: "The test says so.", ...more };
  if (!(await setCurrent(buckets.models, next, await currentModel(buckets.models), new Date(0)))) {
    throw new Error(`${id} was not promoted.`);
  }
}

/** Asks again until the answer is as wanted; the test's own time limit ends it otherwise. */
export async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
