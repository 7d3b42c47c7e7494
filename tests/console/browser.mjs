// Chromium as Debian has it, and what the tests ask of a page.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import axe from 'axe-core';
import { chromium } from 'playwright-core';

export const SCREENSHOTS = process.env.CONSOLE_SCREENSHOTS ?? '../../target/console-screenshots';
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

// As root there is no sandbox, and a container may have little shared memory.
const ARGUMENTS = ['--no-sandbox', '--disable-dev-shm-usage', '--force-color-profile=srgb'];

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });

// The views of one thing, below those that list them.
const DETAILS = { accounts: 'account', journal: 'entry', records: 'record', trunks: 'trunk' };

// A page of the console, with all that it asked for and all that went wrong in it.
export class Page {
  static async open(browser, server, { scheme = 'light', viewport = { width: 1320, height: 900 }, token, clock = false, locale = 'en-GB' } = {}) {
    const context = await browser.newContext({ viewport, colorScheme: scheme, locale, timezoneId: 'UTC', reducedMotion: 'reduce' });
    context.setDefaultTimeout(15_000);
    const page = new Page(await context.newPage(), server);
    if (clock) await page.page.clock.install();
    if (token) await page.page.addInitScript((text) => sessionStorage.setItem('console.token', text), token);
    return page;
  }

  constructor(page, server) {
    this.page = page;
    this.server = server;
    this.requests = [];
    this.problems = [];
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('pageerror', (error) => this.problems.push(String(error.stack)));
    // A refused request is logged as an error too, and tests cause some on purpose.
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource')) this.problems.push(message.text());
    });
  }

  async close() {
    await this.page.context().close();
  }

  async show(view) {
    await this.page.goto(`${this.server.console}#/${view}`);
    const [list, ...rest] = view.split('?')[0].split('/');
    await this.page.waitForSelector(`.view[data-view=${rest.length > 0 ? DETAILS[list] : list}]:not([aria-busy])`);
  }

  // Waits until the view has its data.
  async shown() {
    await this.page.waitForSelector('.view:not([aria-busy])');
  }

  async screenshot(name) {
    await mkdir(SCREENSHOTS, { recursive: true });
    await this.page.evaluate(() => scrollTo(0, 0));
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  }

  // The violations that axe finds in the page as it is.
  async violations() {
    // A change of the view is no new document.
    if (!(await this.page.evaluate(() => 'axe' in window))) await this.page.evaluate(axe.source);
    const { violations } = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ target, failureSummary }) => `${target}\n${failureSummary}`).join('; ')}`);
  }

  // Moves the focus with the Tab key alone, until it is on an element that matches.
  async tabTo(selector, text = '') {
    for (let presses = 0; presses < 80; presses += 1) {
      const found = await this.page.evaluate(
        ([wanted, words]) => document.activeElement.matches(wanted) && document.activeElement.textContent.includes(words),
        [selector, text],
      );
      if (found) return;
      await this.page.keyboard.press('Tab');
    }
    throw new Error(`the Tab key does not lead to ${selector} ${text}`);
  }

  press(...keys) {
    return keys.reduce((before, key) => before.then(() => this.page.keyboard.press(key)), Promise.resolve());
  }

  type(text) {
    return this.page.keyboard.type(text);
  }
}
