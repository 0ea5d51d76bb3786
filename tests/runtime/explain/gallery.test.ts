import { type GalleryInput, type GalleryScan, renderGallery } from "../../../runtime/explain/gallery";

const scan = (row: number, overrides: Partial<GalleryScan>): GalleryScan => ({
  path: `Cancer/scan-${row}.png`,
  label: "Cancer",
  decision: "Cancer",
  probability: 0.9,
  page: 1,
  pages: 1,
  row,
  picture: `scans/${row}.png`,
  overlay: `overlays/${row}.png`,
  lesion: undefined,
  ...overrides,
});

const gallery = (scans: readonly GalleryScan[], more: Partial<GalleryInput> = {}) =>
  renderGallery({
    model: "cnn-1",
    synthetic: false,
    provenance: { at: new Date(0), data: "scans", commit: undefined },
    scans,
    rejected: [],
    worth: [],
    doubts: [],
    ...more,
  });

/** Rows of the scans in the order of a page. */
const order = (page = "") => [...page.matchAll(/id="scan-(\d+)"/g)].map(([, row]) => Number(row));

test("errors come first, the surest of them at the top; then what is doubtful, then what is right, the least sure first", () => {
  const label = "Non-Cancer" as const;
  const scans = [
    scan(1, { label, decision: "Non-Cancer", probability: 0.01 }),
    scan(2, { label, decision: "Non-Cancer", probability: 0.2 }),
    scan(3, { probability: 0.95 }),
    scan(4, { probability: 0.7 }),
    scan(5, { label: undefined, decision: "Non-Cancer", probability: 0.1 }),
    scan(6, { label: undefined, probability: 0.8 }),
    scan(7, { label, decision: "Uncertain", probability: 0.45 }),
    scan(8, { decision: "Uncertain", probability: 0.5 }),
    scan(9, { label, probability: 0.7 }),
    scan(10, { label, probability: 0.99 }),
    scan(11, { decision: "Non-Cancer", probability: 0.2 }),
    scan(12, { decision: "Non-Cancer", probability: 0.02 }),
  ];
  const pages = gallery(scans);
  expect([...pages.keys()]).toEqual(["gallery.html"]);
  expect(order(pages.get("gallery.html"))).toEqual([12, 11, 10, 9, 8, 7, 6, 4, 3, 2, 1, 5]);
});

test("5,000 errors are cut into pages, each scan once, and contents lead to where each chapter begins", () => {
  const missed = Array.from({ length: 5000 }, (_, i) =>
    scan(i + 2, { decision: "Non-Cancer", probability: i / 20_000 }),
  );
  const right = scan(5002, { probability: 0.99 });
  const rejected = Array.from({ length: 5000 }, (_, i) => ({
    path: `${i}`,
    reason: "truncated",
    message: "It is cut.",
  }));
  const pages = gallery([right, ...missed], { rejected });
  expect(pages.size).toBe(21);
  expect([...pages.values()].flatMap(order)).toEqual([...missed, right].map(({ row }) => row));
  for (const page of pages.values()) expect(page.length).toBeLessThan(400_000);
  const links = [...(pages.get("gallery.html")?.matchAll(/<li><a href="([^"#]*)#([^"]*)">([^<]*)</g) ?? [])];
  expect(links.map(([, , , title]) => title)).toEqual([
    "What these maps are worth",
    "Missed tumours: 5,000",
    "Tumours that were found: 1",
    "Files that were refused: 5,000",
  ]);
  for (const [, file = "", id] of links) expect(pages.get(file)).toContain(`<h2 id="${id}"`);
  // Of what was refused the table names so many.
  expect(pages.get("gallery-21.html")?.match(/>truncated</g)).toHaveLength(100);
  expect(pages.get("gallery-2.html")).toContain('href="gallery.html">Page before');
  expect(pages.get("gallery-2.html")).toContain('href="gallery-3.html">Next page');
});

test("says what it is worth and what it is not, and is a page without any scan too", () => {
  const empty = gallery([]).get("gallery.html") as string;
  expect(empty).toContain("no scan was explained");
  expect(empty).toContain("No verdict on the model.");
  expect(empty).toContain("commit not known");
  expect(empty).not.toContain("Synthetic data.");
  const doubted = gallery([], { synthetic: true, doubts: ["they hardly point."], worth: ["of 3, 1."] }).get(
    "gallery.html",
  );
  expect(doubted).toMatch(/Synthetic data\.[\s\S]*Of 3, 1\./);
  expect(doubted).toContain("<strong>Do not rely on these maps:</strong> they hardly point.");
});
