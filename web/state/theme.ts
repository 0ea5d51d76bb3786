import { Store } from "./store";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "theme";

function stored(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? "system";
  } catch {
    // A browser that keeps nothing for this page.
    return "system";
  }
}

export const theme = new Store<Theme>(stored());

function show(): void {
  const chosen = theme.get();
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

theme.follow(() => {
  show();
  try {
    localStorage.setItem(KEY, theme.get());
  } catch {
    // It holds for this visit.
  }
});
show();
