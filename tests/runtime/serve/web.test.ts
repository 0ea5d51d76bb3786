import Fastify, { type FastifyInstance } from "fastify";
import { decodeScan } from "../../../runtime/imaging";
import { identify, NO_AUTHENTICATION, secureHeaders } from "../../../runtime/serve/identity";
import { openApi } from "../../../runtime/serve/openapi";
import { sendProblem, toProblem } from "../../../runtime/serve/problem";
import { visitorRoutes } from "../../../runtime/serve/visitor";
import { webFolder, webRoutes } from "../../../runtime/serve/web";

let app: FastifyInstance;

beforeAll(async () => {
  app = Fastify();
  app.setErrorHandler((error, request, reply) => sendProblem(reply, toProblem(error), request.id));
  await openApi(app);
  await secureHeaders(app, false);
  await identify(app, { authentication: NO_AUTHENTICATION, requestsPerMinute: 0 });
  await app.register(webRoutes);
  await app.register(visitorRoutes);
});
afterAll(() => app.close());

test("the page is never kept, and names files that are kept for ever", async () => {
  expect(webFolder()).toMatch(/dist.web$/);
  const page = await app.inject("/");
  expect(page.headers).toMatchObject({ "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
  const policy = String(page.headers["content-security-policy"]);
  expect(policy).toMatch(
    /^default-src 'none';script-src 'self';style-src 'self';img-src 'self' blob:;connect-src 'self'/,
  );
  expect(policy).not.toMatch(/unsafe|\*/);
  // Nothing of the page stands in the page itself: the policy would not run it.
  expect(page.body).not.toMatch(/<style|style=|<script(?![^>]* src=)|\son\w+=/);
  const named = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string);
  expect(named.map((path) => path.replace(/-[A-Z0-9]{8}\./, "."))).toEqual([
    "/assets/icon.svg",
    "/assets/app.css",
    "/assets/app.js",
  ]);
  for (const path of named) {
    const file = await app.inject(path);
    expect([file.statusCode, file.headers["cache-control"]]).toEqual([200, "private, max-age=31536000, immutable"]);
  }
  const script = await app.inject(named.at(-1) as string);
  expect(script.headers["content-type"]).toMatch(/javascript/);
  expect(script.body).not.toMatch(/\beval\(|new Function\(/);
});

test.each([
  "/assets/none.js",
  "/assets/..%2Findex.html",
  "/assets/%2e%2e/index.html",
  "/assets/",
  "/assets/.hidden",
  "/assets/a%00.js",
])("%s is a problem document", async (url) => {
  const answer = await app.inject(url);
  expect(answer.statusCode).toBe(404);
  if (!url.includes("%2e")) expect(answer.json()).toMatchObject({ code: "not-found" });
});

test("samples are scans that can be read, one of many pages and one of 16 bits, the same every time", async () => {
  const { items } = (await app.inject("/v1/samples")).json<{ items: { name: string; path: string }[] }>();
  const read = await Promise.all(
    items.map(async ({ name, path }) => {
      const { rawPayload } = await app.inject(path);
      const depths: unknown[] = [];
      for await (const page of decodeScan(rawPayload)) depths.push("image" in page ? page.image.depth : page.rejected);
      return [name, depths];
    }),
  );
  expect(Object.fromEntries(read)).toEqual({
    "phantom-with-mass-1.png": [8],
    "phantom-with-mass-2.png": [8],
    "phantom-without-mass-1.png": [8],
    "phantom-without-mass-2.png": [8],
    "phantom-16-bit.tif": [16],
    "phantom-9-slices.tif": Array(9).fill(16),
  });
  expect((await app.inject("/v1/samples/..%2Fapp.ts")).json()).toMatchObject({ code: "not-found" });
});
