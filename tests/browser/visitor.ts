import { readFileSync } from "node:fs";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** A file as the tests send it. */
export interface Sent {
  readonly name: string;
  readonly content: Buffer;
}

/** Somebody who has opened the dashboard, and everything that went wrong meanwhile. */
export class Visitor {
  readonly problems: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly url: string,
  ) {}

  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
    // Long enough for a machine that has other work; what never comes is ended all the same.
    page.setDefaultTimeout(120_000);
    const visitor = new Visitor(page, url);
    page.on("console", (message) => {
      if (message.type() === "error") visitor.problems.push(message.text());
    });
    page.on("pageerror", (error) => visitor.problems.push(error.message));
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== "blob:" && origin !== url) visitor.problems.push(`asked elsewhere: ${request.url()}`);
    });
    // The system's dialog is kept back only where somebody listens, and that has to have reached the page before a key does.
    page.on("filechooser", () => {});
    // A report is an event of the page before it is a line of the console.
    await page.addInitScript(
      `addEventListener("securitypolicyviolation", (event) => console.error("CSP: " + event.violatedDirective + " " + event.blockedURI));`,
    );
    await page.goto(url);
    await page.locator(".banner-text, .banner[role=alert]").first().waitFor();
    return visitor;
  }

  async go(hash: string): Promise<void> {
    await this.page.goto(`${this.url}/${hash}`);
  }

  /** What happens when a person lets go of files, or of a folder with them, over the page. */
  async drop(files: readonly Sent[]): Promise<void> {
    const list = files.map(({ name, content }) => ({ name, base64: content.toString("base64") }));
    // As text, because the tests are compiled without the browser's types.
    const transfer = await this.page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      for (const { name, base64 } of ${JSON.stringify(list)}) {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
      }
      return transfer;
    })()`);
    await this.page.dispatchEvent("body", "dragenter", { dataTransfer: transfer });
    await this.page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  }

  /** The same with files and folders of this machine, by the browser's own drag and drop. */
  async dropPaths(paths: readonly string[]): Promise<void> {
    const debug = await this.page.context().newCDPSession(this.page);
    const data = { items: [], files: [...paths], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"] as const)
      await debug.send("Input.dispatchDragEvent", { type, x: 200, y: 400, data });
    await debug.detach();
  }

  /** Presses Tab until the focus is where a selector says; a person would see it come. */
  async tabTo(selector: string, { back = false } = {}): Promise<void> {
    for (let pressed = 0; pressed < 200; pressed++) {
      if (await this.page.evaluate(`document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`)) return;
      await this.page.keyboard.press(back ? "Shift+Tab" : "Tab");
    }
    throw new Error(`Tab does not come to ${selector}.`);
  }

  press(...keys: readonly string[]): Promise<void> {
    return keys.reduce((before, key) => before.then(() => this.page.keyboard.press(key)), Promise.resolve());
  }

  async text(selector: string): Promise<string> {
    return (await this.page.locator(selector).first().textContent()) ?? "";
  }

  /** Whether an element lies whole in the window, and nothing, such as the head, lies over it. */
  uncovered(selector: string): Promise<boolean> {
    return this.page.evaluate<boolean>(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      const { left, right, top, bottom } = element.getBoundingClientRect();
      return [top + 1, bottom - 1].every((y) => element.contains(document.elementFromPoint((left + right) / 2, y)));
    })()`);
  }

  /** The grey (0 to 255) that the canvas shows at a share of its width and height, and how far from grey it is. */
  async seenAt(x: number, y: number): Promise<{ grey: number; colour: number }> {
    const [red, green, blue] = await this.page.evaluate<[number, number, number]>(`(() => {
      const canvas = document.querySelector(".stage canvas");
      return [...canvas.getContext("2d").getImageData(${x} * canvas.width, ${y} * canvas.height, 1, 1).data];
    })()`);
    return { grey: green, colour: Math.max(red, green, blue) - Math.min(red, green, blue) };
  }

  axe(): Promise<string[]> {
    return axeFindings(this.page);
  }

  overflow(): Promise<number> {
    return overflowOf(this.page);
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

/** What axe finds on a page, a line each: rule, and where. */
export async function axeFindings(page: Page): Promise<string[]> {
  // By the debugger, which the page's policy does not hold: it takes no script that is not the server's.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<{
    violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[];
  }>("axe.run(document, { resultTypes: ['violations'] })");
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary.replace(/\s+/g, " ")}`),
  );
}

/** By how much a page is wider than its window, CSS pixels. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}
