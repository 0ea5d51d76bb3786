import type {
  CreateOptions,
  ListOptions,
  ObjectContent,
  ObjectInfo,
  ObjectStore,
  ReadOptions,
  WriteOptions,
} from "./object-store";

/** A folder of a bucket as if it were a bucket: names begin below it. */
export class FolderStore implements ObjectStore {
  readonly uri: string;
  readonly bucket: string;

  /** @param folder with a slash at its end */
  constructor(
    private readonly store: ObjectStore,
    private readonly folder: string,
  ) {
    if (!folder.endsWith("/")) throw new TypeError(`"${folder}" is no folder: it must end in a slash.`);
    this.uri = `${store.uri}/${folder.slice(0, -1)}`;
    this.bucket = store.bucket;
  }

  async stat(name: string, options?: ReadOptions): Promise<ObjectInfo | undefined> {
    const found = await this.store.stat(this.in(name), options);
    return found && this.below(found);
  }

  read(name: string, options?: ReadOptions): Promise<Buffer> {
    return this.store.read(this.in(name), options);
  }

  createReadStream(name: string, options?: ReadOptions) {
    return this.store.createReadStream(this.in(name), options);
  }

  async list(options: ListOptions = {}) {
    const { prefix = "", from } = options;
    const page = await this.store.list({
      ...options,
      prefix: this.in(prefix),
      ...(from === undefined ? {} : { from: this.in(from) }),
    });
    return { ...page, objects: page.objects.map((found) => this.below(found)) };
  }

  async *listAll(prefix = ""): AsyncGenerator<ObjectInfo> {
    for await (const found of this.store.listAll(this.in(prefix))) yield this.below(found);
  }

  materialize(name: string, options?: ReadOptions) {
    return this.store.materialize(this.in(name), options);
  }

  async create(name: string, content: ObjectContent, options?: CreateOptions): Promise<ObjectInfo> {
    return this.below(await this.store.create(this.in(name), content, options));
  }

  async write(name: string, content: ObjectContent, options?: WriteOptions): Promise<ObjectInfo> {
    return this.below(await this.store.write(this.in(name), content, options));
  }

  delete(name: string, options?: { readonly ifGenerationMatch?: number }): Promise<boolean> {
    return this.store.delete(this.in(name), options);
  }

  private in(name: string): string {
    return `${this.folder}${name}`;
  }

  private below(found: ObjectInfo): ObjectInfo {
    return { ...found, name: found.name.slice(this.folder.length) };
  }
}
