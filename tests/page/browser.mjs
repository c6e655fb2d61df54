// Opens a page in Chromium and keeps what must not happen: errors, and requests beyond the page itself.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { equal, near } from './tap.mjs';

const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'];
const READY_MS = 60000;

/** Starts the browser; `modules` is the folder in which npm installed playwright-core. */
export async function start(modules, chromium) {
    const require = createRequire(pathToFileURL(join(modules, 'package.json')));
    const playwright = require('playwright-core');
    return playwright.chromium.launch({ executablePath: chromium, headless: true, args: ARGUMENTS });
}

/** A page that is ready to be used: {page, problems, requests}. */
export async function open(browser, path, { colorScheme = 'light', width = 1366, height = 820 } = {}) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce', offline: true });
    const page = await context.newPage();
    const problems = [];
    const requests = [];
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) {
            problems.push(message.text());
        }
    });
    page.on('pageerror', (error) => problems.push(error.stack ?? String(error)));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(path).href);
    await page.waitForSelector('html[data-ready]', { state: 'attached', timeout: READY_MS });
    return { page, problems, requests, close: () => context.close() };
}

/** Waits until the picture has been drawn after what was done last. */
export function drawn(page) {
    return page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
}

/** The stretch of time that the timeline shows. */
export function shown(page) {
    return page.evaluate(() => ({ from: plaitPage.app.viewport.from, to: plaitPage.app.viewport.to }));
}

/** The text of the table of figures that is shown. */
export async function figures(page, tab) {
    await page.click(`#tab-${tab}`);
    return page.textContent('#tab-body');
}

/** Where a moment of a row is on the screen; `find` is given to Rows.find(). */
export function placeOf(page, type, index, time) {
    return page.evaluate(([rowType, rowIndex, at]) => {
        const { app } = plaitPage;
        const row = app.rows.find(rowType, rowIndex);
        app.timeline.reveal(row);
        app.scrolled();
        const box = app.timeline.canvas.getBoundingClientRect();
        return { x: box.left + app.timeline.xOf(at), y: box.top + 26 + app.rows.top[row.at] - app.timeline.scroll + 11 };
    }, [type, index, time]);
}

/** What a person does with a page; fails when it is slow beyond all reason, or says anything is wrong. */
export async function use(opened) {
    const { page } = opened;
    const whole = await shown(page);
    for (const key of ['w', 'w', 'd', 'w', 'a', 's', '2', 'w', '0', '1']) {
        await page.keyboard.press(key);
        await drawn(page);
    }
    near((await shown(page)).to, whole.to, 1, 'the whole again');
    for (const tab of await page.locator('#tabs button').all()) {
        await tab.click();
    }
    await page.click('#tab-time');
    equal(opened.problems.join('\n'), '', 'problems');
    equal(opened.requests.length, 1, `requests: ${opened.requests.join(' ')}`);
}
