/**
 * A real browser for tests: the Chromium that the machine has. Where there is none the test says so and ends; continuous
 * integration has one.
 */
import { existsSync } from "node:fs";
import type { TestContext } from "node:test";
import { chromium, type Page } from "playwright-core";

const places = [
  process.env["TENSILE_CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  String.raw`C:\Program Files\Google\Chrome\Application\chrome.exe`,
];

/** Runs `use` with a page; `problems` gathers what the console and the page complain about. Closes the browser afterwards. */
export async function inBrowser(
  context: TestContext,
  use: (page: Page, problems: readonly string[]) => Promise<void>,
): Promise<void> {
  const executablePath = places.find((path) => path !== undefined && existsSync(path));
  if (executablePath === undefined) {
    context.diagnostic("Nothing was tested: no Chromium is installed. Install one, or name it in TENSILE_CHROMIUM.");
    return;
  }
  // Its sandbox does not start for root, as which containers run tests; it opens pages of this machine alone.
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
    });
    await use(page, problems);
  } finally {
    await browser.close();
  }
}
