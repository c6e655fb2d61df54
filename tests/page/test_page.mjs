// The page in Chromium, with a recording that never was (sample.mjs): what a person does with it, and what it then shows.
//
// usage: node test_page.mjs --modules FOLDER --chromium PROGRAM --template PAGE.html --plain PAGE.html --folder FOLDER
//   modules: where npm installed playwright-core; template: the page with charts, plain: without; folder: for files
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { drawn, figures, open, placeOf, shown, start } from './browser.mjs';
import { block, fill, simulate } from './sample.mjs';
import { check, equal, near, run, test } from './tap.mjs';

const { values: options } = parseArgs({ options: Object.fromEntries(
    ['modules', 'chromium', 'template', 'plain', 'folder'].map((name) => [name, { type: 'string' }])) });

const simulated = simulate({ tasks: 60 });
const path = join(options.folder, 'sample.html');
const plainPath = join(options.folder, 'sample-plain.html');
writeFileSync(path, fill(readFileSync(options.template, 'utf8'), block(simulated)));
writeFileSync(plainPath, fill(readFileSync(options.plain, 'utf8'), block(simulated)));

const browser = await start(options.modules, options.chromium);
const opened = await open(browser, path);
const { page } = opened;

/** The sum of a state's time within a stretch, by the simulation. */
function simulatedTime(kind, from, to) {
    let sum = 0;
    for (const task of simulated.tasks) {
        for (const cell of task.cells) {
            if (cell.kind === kind) {
                sum += Math.max(0, Math.min(cell.end, to) - Math.max(cell.start, from));
            }
        }
    }
    return sum;
}

const UNITS = { ns: 1, 'µs': 1e3, ms: 1e6, s: 1e9 };

/** The length of time in a cell of a table, in ns, and how exact it is. */
function timeIn(text) {
    const [value, unit] = text.trim().split(' ');
    return { ns: Number(value) * (UNITS[unit] ?? 1), step: UNITS[unit] * 10 ** -(value.split('.')[1]?.length ?? 0) };
}

async function cellOf(selector, name) {
    const row = page.locator(`${selector} tbody tr`).filter({ has: page.locator('td:first-child', { hasText: new RegExp(`^${name}$`) }) });
    return timeIn(await row.locator('td').nth(1).textContent());
}

test('it_says_what_was_recorded', async () => {
    equal(await page.textContent('#program'), 'sample', 'program');
    const facts = await page.textContent('#facts');
    check(facts.includes(`${simulated.tasks.length} tasks`), facts);
    check(facts.startsWith('130 ms'), facts);
    equal(await page.title(), 'sample: plait trace', 'title');
    check(await page.isHidden('#notice'), 'a notice');
});

test('it_shows_where_time_went', async () => {
    await page.click('#tab-time');
    for (const [name, kind] of [['running', 0], ['runnable', 1], ['mutex', 2], ['http', 8]]) {
        const { ns, step } = await cellOf('table:has(caption:text("Time of all tasks by state"))', name);
        near(ns, simulatedTime(kind, 0, simulated.duration), step, name);
    }
});

test('keys_and_wheel_zoom_and_pan', async () => {
    await page.keyboard.press('0');
    const whole = await shown(page);
    check(whole.from <= 0 && whole.to >= simulated.duration, 'not the whole');
    await page.keyboard.press('w');
    const half = await shown(page);
    near((half.to - half.from) / (whole.to - whole.from), 0.5, 0.01, 'half');
    await page.keyboard.press('d');
    check((await shown(page)).from > half.from, 'did not pan');
    const { x, y } = await placeOf(page, 'worker', 0, simulated.duration / 2);
    await page.mouse.move(x, y);
    const before = await shown(page);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -200);
    await page.keyboard.up('Control');
    await page.waitForFunction((span) => plaitPage.app.viewport.span < span * 0.9, before.to - before.from);
    const after = await shown(page);
    const at = (view) => (simulated.duration / 2 - view.from) / (view.to - view.from);
    near(at(after), at(before), 0.01, 'the time under the mouse stays there');
    await page.keyboard.press('0');
});

test('a_click_selects_a_cell_and_says_what_it_is', async () => {
    await page.click('#view-tasks');
    const task = simulated.tasks.findIndex((t) => simulated.names[simulated.groups[t.group]] === 'parse_page');
    const wait = simulated.tasks[task].cells.filter((c) => c.kind === 2).sort((a, b) => (b.end - b.start) - (a.end - a.start))[0];
    const { x, y } = await placeOf(page, 'task', task, (wait.start + wait.end) / 2);
    await page.mouse.click(x, y);
    const text = await page.textContent('#tab-body');
    check(text.includes(`parse_page #${task + 1}`), text);
    check(text.includes('mutex index'), text);
    check(text.includes(`#${wait.hold}`), `the holder is missing: ${text}`);
    check((await page.textContent('#spoken')).includes('waits: mutex'), 'nothing is spoken');
    const arrows = await page.evaluate(() => plaitPage.app.arrows.map(({ from, to, time }) => ({ from, to, time })));
    equal(JSON.stringify(arrows[0]), JSON.stringify({ from: wait.by - 3, to: task, time: wait.end }), 'the arrow of the waker');
    await page.keyboard.press('k');
    const selected = await page.evaluate(() => plaitPage.app.selected.index);
    equal(selected, wait.by - 3, 'went to the waker');
    await page.keyboard.press('Escape');
});

test('hovering_shows_a_tip', async () => {
    await page.click('#view-workers');
    await page.keyboard.press('0');
    const cell = simulated.laneCells[0].reduce((a, b) => (b.end - b.start > a.end - a.start ? b : a));
    const { x, y } = await placeOf(page, 'worker', 0, (cell.start + cell.end) / 2);
    await page.mouse.move(x, y);
    check(await page.isVisible('#tip'), 'no tip');
    check((await page.textContent('#tip')).includes(`#${cell.ref}`), await page.textContent('#tip'));
    await page.mouse.move(5, 5);
    check(await page.isHidden('#tip'), 'the tip stays');
});

test('a_drag_selects_a_stretch_with_its_sums', async () => {
    const from = await placeOf(page, 'worker', 1, simulated.duration * 0.2);
    const to = await placeOf(page, 'worker', 1, simulated.duration * 0.45);
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 4 });
    await page.mouse.up();
    await page.waitForSelector('#range-figures');
    const range = await page.evaluate(() => plaitPage.app.range);
    near(range[0], simulated.duration * 0.2, simulated.duration * 0.002, 'from');
    near(range[1], simulated.duration * 0.45, simulated.duration * 0.002, 'to');
    for (const [name, kind] of [['running', 0], ['mutex', 2]]) {
        const { ns, step } = await cellOf('table:has(caption:text("Time in the selected stretch by state"))', name);
        near(ns, simulatedTime(kind, ...range), step, name);
    }
    check(!(await figures(page, 'selection')).includes('bin'), 'not exact');
    await page.keyboard.press('Escape');
});

test('a_search_finds_and_goes_from_match_to_match', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('insert');
    const inserts = simulated.tasks.flatMap((t) => t.spans).filter((s) => simulated.names[s.name] === 'insert').length;
    await page.waitForFunction((n) => document.getElementById('hits').textContent === `${n} matches`, inserts);
    await page.keyboard.press('Enter');
    equal(await page.textContent('#hits'), `1 of ${inserts}`, 'the first match');
    check(await page.evaluate(() => plaitPage.app.selected?.type === 'span'), 'no span is selected');
    await page.keyboard.press('Shift+Enter');
    equal(await page.textContent('#hits'), `${inserts} of ${inserts}`, 'the last match');
    await page.keyboard.press('Escape');
    equal(await page.inputValue('#search'), '', 'the search is still there');
});

test('the_critical_path_has_a_view_and_adds_up', async () => {
    await page.evaluate(() => plaitPage.app.goTask(0, plaitPage.app.trace.duration - 1));
    await page.keyboard.press('p');
    equal(await page.getAttribute('#view-path', 'aria-pressed'), 'true', 'the view');
    const text = await page.textContent('#tab-body');
    check(text.includes('Path to the end of app #1: 130 ms'), text.slice(0, 200));
    await page.keyboard.press('1');
    equal(await page.getAttribute('#view-workers', 'aria-pressed'), 'true', 'back');
});

test('every_table_shows_figures_and_sorts', async () => {
    for (const tab of ['time', 'selection', 'waits', 'objects', 'requests', 'tasks', 'path', 'counters']) {
        check((await figures(page, tab)).length > 40, `${tab} is empty`);
    }
    await page.click('#tab-tasks');
    const lives = () => page.locator('#tab-body tbody tr td:nth-child(4)').allTextContents();
    const longest = timeIn((await lives())[0]).ns;
    await page.click('#tab-body th:nth-child(4) button');
    check(timeIn((await lives())[0]).ns < longest, 'the order did not turn');
    await page.click('#tab-waits');
    await page.selectOption('#cause', '2');
    const causes = await page.locator('#tab-body tbody tr td:nth-child(2)').allTextContents();
    check(causes.length > 3 && causes.every((text) => text.startsWith('mutex')), causes.join());
    await page.locator('#tab-body tbody tr').first().focus();
    await page.keyboard.press('Enter');
    check(await page.evaluate(() => plaitPage.app.selected?.type === 'task'), 'a row goes nowhere');
    await page.keyboard.press('Escape');
});

test('counters_have_charts', async () => {
    await page.click('#tab-counters');
    equal(await page.locator('#tab-body .chart canvas').count(), 3, 'charts');
});

test('keys_alone_reach_cells_and_lanes', async () => {
    await page.click('#view-tasks');
    await page.focus('#lanes');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const first = await page.evaluate(() => plaitPage.app.selected);
    check(first, 'nothing is selected');
    await page.keyboard.press('ArrowRight');
    check((await page.textContent('#spoken')).length > 10, 'nothing is spoken');
    await page.keyboard.press('Enter');
    check((await shown(page)).to - (await shown(page)).from < simulated.duration, 'did not zoom');
    await page.keyboard.press('Backspace');
    await page.keyboard.press('?');
    check(await page.isVisible('#help'), 'no help');
    await page.keyboard.press('Escape');
    check(await page.isHidden('#help'), 'help stays');
});

/** The contrast of two colours, as WCAG has it. */
function contrast(a, b) {
    const luminance = (colour) => {
        const [r, g, bl] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * bl;
    };
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
}

test('both_themes_can_be_read', async () => {
    const dark = await open(browser, path, { colorScheme: 'dark' });
    for (const [theme, subject] of [['light', page], ['dark', dark.page]]) {
        const colours = await subject.evaluate(() => Object.fromEntries(
            ['canvas', 'canvas-raised', 'panel', 'text', 'text-faint', 'accent', 'on-state', 's-running', 's-runnable', 'notice', 'notice-text']
                .map((name) => [name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()])));
        for (const [front, back] of [['text', 'canvas'], ['text', 'panel'], ['text-faint', 'canvas'], ['text-faint', 'canvas-raised'],
            ['accent', 'panel'], ['on-state', 's-running'], ['on-state', 's-runnable'], ['notice-text', 'notice']]) {
            const ratio = contrast(colours[front], colours[back]);
            check(ratio >= 4.5, `${theme}: ${front} on ${back} has a contrast of ${ratio.toFixed(2)}`);
        }
    }
    const background = () => dark.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await background();
    await dark.page.click('#theme');
    check(await background() !== before, 'the button changes nothing');
    equal(dark.problems.join('\n'), '', 'problems');
    await dark.close();
});

test('everything_to_press_has_a_name', async () => {
    const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, canvas[tabindex], [role=tab]')]
        .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim())).map((e) => e.outerHTML));
    equal(nameless.join('\n'), '', 'nameless');
});

test('it_fits_a_small_screen', async () => {
    const small = await open(browser, path, { width: 1024, height: 600 });
    const overflow = await small.page.evaluate(() => [document.documentElement.scrollWidth > innerWidth,
        document.querySelector('#lanes').clientHeight]);
    equal(overflow[0], false, 'it is wider than the screen');
    check(overflow[1] >= 120, `the timeline is only ${overflow[1]} px high`);
    await small.close();
});

test('it_fits_a_telephone', async () => {
    const small = await open(browser, path, { width: 400, height: 800 });
    const seen = await small.page.evaluate(() => ({
        wide: document.documentElement.scrollWidth,
        beyond: [...document.querySelectorAll('button:not([role=tab]), input, canvas')].filter((e) => e.checkVisibility())
            .filter((e) => { const box = e.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth; }).map((e) => e.id),
        search: document.querySelector('#search').clientWidth,
        lanes: document.querySelector('#lanes').clientHeight,
        plot: plaitPage.app.timeline.plotWidth,
    }));
    equal(seen.wide, 400, 'how wide it is');
    equal(seen.beyond.join(), '', 'beyond the edge');
    check(seen.search >= 100 && seen.plot >= 240 && seen.lanes >= 200, JSON.stringify(seen));
    for (const tab of ['time', 'selection', 'waits', 'objects', 'requests', 'tasks', 'path', 'counters']) {
        check((await figures(small.page, tab)).length > 40, `${tab} is empty`);
        equal(await small.page.evaluate(() => document.documentElement.scrollWidth), 400, `how wide it is with ${tab}`);
    }
    equal(small.problems.join('\n'), '', 'problems');
    await small.close();
});

/** Puts fingers on the screen, moves them from and to places, and lifts them. */
async function fingers(subject, from, to) {
    const client = await subject.context().newCDPSession(subject);
    const say = (type, places) => client.send('Input.dispatchTouchEvent',
        { type, touchPoints: places.map(({ x, y }, id) => ({ x, y, id })) });
    await say('touchStart', from);
    for (let part = 1; part <= 4; part++) {
        await say('touchMove', from.map(({ x, y }, i) => ({ x: x + (to[i].x - x) * part / 4, y: y + (to[i].y - y) * part / 4 })));
    }
    await say('touchEnd', []);
    await client.detach();
}

test('one_finger_pans_two_zoom_and_a_tap_selects', async () => {
    const small = await open(browser, path, { width: 400, height: 800 });
    const at = (share) => placeOf(small.page, 'worker', 0, simulated.duration * share);
    const [left, middle, right] = [await at(0.25), await at(0.5), await at(0.75)];
    await fingers(small.page, [middle, { ...middle, x: middle.x + 40 }], [left, right]);
    const zoomed = await shown(small.page);
    check(zoomed.to - zoomed.from < simulated.duration * 0.6, `it shows ${JSON.stringify(zoomed)}`);
    await fingers(small.page, [left], [middle]);
    const panned = await shown(small.page);
    check(panned.from < zoomed.from, 'it does not follow the finger');
    near(panned.to - panned.from, zoomed.to - zoomed.from, simulated.duration * 1e-6, 'it zooms, too');
    check(await small.page.evaluate(() => plaitPage.app.range === null && plaitPage.app.selected === null), 'panning selects');
    await small.page.keyboard.press('0');
    const cell = simulated.laneCells[0].reduce((a, b) => (b.end - b.start > a.end - a.start ? b : a));
    const place = await placeOf(small.page, 'worker', 0, (cell.start + cell.end) / 2);
    await fingers(small.page, [place], [place]);
    check((await figures(small.page, 'selection')).includes(`#${cell.ref}`), 'a tap selects nothing');
    equal(small.problems.join('\n'), '', 'problems');
    await small.close();
});

test('without_charts_the_page_says_so_and_works', async () => {
    const plain = await open(browser, plainPath);
    await plain.page.click('#tab-counters');
    check((await plain.page.textContent('#tab-body')).includes('built without uPlot'), 'says nothing');
    await plain.page.keyboard.press('2');
    await drawn(plain.page);
    equal(plain.problems.join('\n'), '', 'problems');
    await plain.close();
});

test('a_page_with_damaged_data_says_so', async () => {
    const damaged = join(options.folder, 'damaged.html');
    writeFileSync(damaged, readFileSync(path, 'utf8').replace(/(data-table="task_cells">.{200})[^<]{40}/, '$1'));
    const context = await browser.newContext({ offline: true });
    const broken = await context.newPage();
    await broken.goto(`file://${damaged}`);
    await broken.waitForSelector('#notice:not([hidden])');
    check((await broken.textContent('#notice')).includes('cannot show its recording'), 'says nothing of it');
    await context.close();
});

test('nothing_was_reported_and_nothing_requested', async () => {
    equal(opened.problems.join('\n'), '', 'problems');
    equal(opened.requests.length, 1, `requests: ${opened.requests.join(' ')}`);
});

await run(() => browser.close());
