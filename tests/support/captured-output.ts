/** What a test printed to stdout and stderr, instead of printing it. Call once, at the top of a test file. */
export function captureOutput(): () => string {
  let printed = "";
  beforeEach(() => {
    printed = "";
    for (const stream of [process.stdout, process.stderr])
      jest.spyOn(stream, "write").mockImplementation((text) => {
        printed += String(text);
        return true;
      });
  });
  afterEach(() => jest.restoreAllMocks());
  return () => printed;
}
