import { connect, createServer, type Server, type Socket } from "node:net";

/** Stands between a client and a server, and cuts their connections when it is told to. */
export class CuttingProxy {
  private readonly sockets = new Set<Socket>();

  private armed = 0;

  /** How many answers were lost. */
  lost = 0;

  private down = false;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(target: number): Promise<CuttingProxy> {
    let proxy: CuttingProxy | undefined;
    const server = createServer((client) => proxy?.join(client, connect(target, "127.0.0.1")));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    proxy = new CuttingProxy(server, (server.address() as { port: number }).port);
    return proxy;
  }

  /**
   * The next requests of at least `bytes` reach the server and are done there; in place of the answer, the client loses
   * its connection.
   */
  loseAnswers(count: number, bytes = 500): void {
    this.armed = count;
    this.bytes = bytes;
  }

  private bytes = 0;

  /** The network is gone: connections end, and new ones are not made. */
  cut(): void {
    this.down = true;
    for (const socket of this.sockets) socket.destroy();
  }

  restore(): void {
    this.down = false;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(client: Socket, server: Socket): void {
    let losing = false;
    if (this.down) client.destroy();
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (data) => {
      if (this.armed > 0 && data.length >= this.bytes && !losing) {
        this.armed--;
        losing = true;
      }
      server.write(data);
    });
    server.on("data", (data) => {
      // An acknowledgement of HTTP/2 itself is short; the answer to a request is not.
      if (!losing) return void client.write(data);
      if (data.length < 40) return;
      this.lost++;
      client.destroy();
    });
  }
}
