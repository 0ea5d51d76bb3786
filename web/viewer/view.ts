/** What of a page a canvas shows: by how much it is enlarged beyond fitting, and by how far it is moved, CSS pixels. */
export interface View {
  readonly zoom: number;
  readonly x: number;
  readonly y: number;
}

export const FITTED: View = { zoom: 1, x: 0, y: 0 };
export const MOST_ZOOM = 16;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Where the page lies on the canvas, CSS pixels. */
export function placeOf(page: Size, canvas: Size, { zoom, x, y }: View): { left: number; top: number; scale: number } {
  const scale = Math.min(canvas.width / page.width, canvas.height / page.height) * zoom;
  return {
    left: (canvas.width - page.width * scale) / 2 + x,
    top: (canvas.height - page.height * scale) / 2 + y,
    scale,
  };
}

/** Enlarges about a point of the canvas, which stays over the same place of the page. */
export function zoomed(
  view: View,
  factor: number,
  canvas: Size,
  at?: { readonly x: number; readonly y: number },
): View {
  const zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom * factor));
  if (zoom === 1) return FITTED;
  const ratio = zoom / view.zoom;
  const [dx, dy] = at ? [at.x - canvas.width / 2, at.y - canvas.height / 2] : [0, 0];
  return { zoom, x: dx - (dx - view.x) * ratio, y: dy - (dy - view.y) * ratio };
}

/** Moves the page, as far as some of it stays in view. */
export function moved(view: View, dx: number, dy: number, canvas: Size): View {
  const within = (value: number, side: number) =>
    Math.min((side * view.zoom) / 2, Math.max((-side * view.zoom) / 2, value));
  return { zoom: view.zoom, x: within(view.x + dx, canvas.width), y: within(view.y + dy, canvas.height) };
}
