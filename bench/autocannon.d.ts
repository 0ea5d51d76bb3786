/** The part of it that is used here: https://github.com/mcollina/autocannon#api */
declare module "autocannon" {
  interface Request {
    method: string;
    path: string;
    body?: Buffer;
    headers?: Record<string, string>;
  }
  interface Step<Context> {
    readonly method: string;
    readonly path: string;
    readonly headers?: Record<string, string>;
    /** What it gives is sent; after nothing, the sequence begins anew. */
    readonly setupRequest: (request: Request, context: Context) => Request | false;
    readonly onResponse: (status: number, body: string, context: Context) => void;
  }
  interface Options<Context> {
    readonly url: readonly string[];
    readonly connections: number;
    /** Requests of all connections together. */
    readonly amount: number;
    /** Seconds that an answer may take. */
    readonly timeout: number;
    /** Errors after which it stops. */
    readonly bailout: number;
    readonly requests: readonly Step<Context>[];
  }
  interface Result {
    /** Connections that failed, and requests that took longer than the timeout. */
    readonly errors: number;
  }
  export default function autocannon<Context>(options: Options<Context>): Promise<Result>;
}
