import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { HistoryRoom } from "./history/history";
import { ModelsRoom } from "./models/models";
import { MonitoringRoom } from "./monitoring/monitoring";
import { ScansRoom } from "./scans/scans";
import { route } from "./state/route";
import { announcement, askWhoAmI, currentModel, followModel, me } from "./state/session";
import { useStore } from "./state/store";
import { THEMES, theme } from "./state/theme";
import { StudyRoom } from "./studies/room";
import "./app.css";

/** Where nothing has been heard from the server yet. */
const DISCLAIMER = "Not for diagnostic use.";

const ROOMS = [
  ["scans", "Scans"],
  ["history", "History"],
  ["models", "Models"],
  ["monitoring", "Monitoring"],
] as const;

function App() {
  const here = useStore(route);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  // Whoever goes to another room begins at its head.
  useEffect(() => {
    document.title = `${ROOMS.find(([room]) => room === here.room)?.[1]} - brain MRI tumour service`;
    if (first.current) {
      first.current = false;
      return;
    }
    const head = main.current?.querySelector<HTMLElement>("h1[tabindex]") ?? main.current;
    head?.focus();
  }, [here.room]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header room={here.room} />
      <ModelBanner />
      <main ref={main} id="main" tabIndex={-1}>
        {here.room === "scans" ? <ScansRoom id={here.id} /> : null}
        {here.room !== "history" ? null : "study" in here ? (
          <StudyRoom study={here.study} />
        ) : (
          <HistoryRoom id={here.id} queue={here.queue} />
        )}
        {here.room === "monitoring" ? <MonitoringRoom id={here.id} /> : null}
        {here.room === "models" ? <ModelsRoom id={here.id} against={here.against} /> : null}
      </main>
      <Footer />
      <Announcer />
    </>
  );
}

function Header({ room }: { room: string }) {
  const who = useStore(me);
  const chosen = useStore(theme);
  return (
    <header>
      <p class="product">Brain MRI</p>
      <nav aria-label="Rooms">
        {ROOMS.map(([name, title]) => (
          <a key={name} href={`#/${name}`} aria-current={room === name ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      {who ? (
        <p class="who">
          <span class="who-name">{who.who}, </span>
          {who.role}
        </p>
      ) : null}
      <label class="theme">
        <span class="theme-label">Colours</span>
        <select
          aria-label="Colours"
          value={chosen}
          onChange={({ currentTarget }) => theme.set(THEMES.find((name) => name === currentTarget.value) ?? "system")}
        >
          {THEMES.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </header>
  );
}

/** What the model is worth, before anything that it says. */
function ModelBanner() {
  const { model, error } = useStore(currentModel);
  if (error)
    return (
      <div class="banner unfit" role="alert">
        {error}
      </div>
    );
  if (!model) return <div class="banner" aria-busy="true" />;
  return (
    <section class={model.verdict.fit ? "banner fit" : "banner unfit"} aria-label="Verdict on the model">
      {model.synthetic ? <span class="tag strong">Synthetic</span> : null}
      {model.guard ? null : <span class="tag strong">No input guard</span>}
      <span class="banner-text">{model.verdict.sentence}</span>
      <a class="code" href={`#/models/${encodeURIComponent(model.id)}`}>
        {model.id}
      </a>
    </section>
  );
}

function Footer() {
  const { model } = useStore(currentModel);
  return (
    <footer>
      <p>{model?.disclaimer ?? DISCLAIMER}</p>
      <p>
        <a href="/docs">API</a>
      </p>
    </footer>
  );
}

function Announcer() {
  return (
    <p class="hidden" role="status" aria-live="polite" data-announcer="">
      {useStore(announcement)}
    </p>
  );
}

followModel();
void askWhoAmI();
const place = document.getElementById("app");
if (place) render(<App />, place);
