import { type CreatableStore, type CreateOptions, type ObjectContent, PreconditionFailedError } from "./object-store";

/** Adds an object, unless there is one of that name, which is left as it is. @returns whether it was added */
export async function tryToCreate(
  store: CreatableStore,
  name: string,
  content: ObjectContent,
  options?: CreateOptions,
): Promise<boolean> {
  try {
    await store.create(name, content, options);
    return true;
  } catch (error) {
    if (error instanceof PreconditionFailedError) return false;
    throw error;
  }
}
