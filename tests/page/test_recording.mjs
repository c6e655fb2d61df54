// The page of real recordings: made by `plait trace`, compared with what its summary says of them.
//
// usage: node test_recording.mjs --modules FOLDER --chromium PROGRAM --folder FOLDER --plait PROGRAM --busy PROGRAM
//        [--long]
//   long: 10 million events of the busy program
import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { figures, open, start, use } from './browser.mjs';
import { check, equal, execute, near, run, test } from './tap.mjs';

const { values: options } = parseArgs({ options: { long: { type: 'boolean' }, ...Object.fromEntries(
    ['modules', 'chromium', 'template', 'plain', 'folder', 'plait', 'busy'].map((name) => [name, { type: 'string' }])) } });
const events = options.long ? 10e6 : 200e3;
const browser = await start(options.modules, options.chromium);

/** Records a program, and has its page and its summary: {html, summary}. */
async function record(name, program, args) {
    const recording = join(options.folder, `${name}.plait`);
    const html = join(options.folder, `${name}.html`);
    rmSync(html, { force: true });
    rmSync(recording, { force: true });
    const made = await execute(program, args, { PLAIT_TRACE: recording });
    equal(made.status, 0, `${program}: ${made.stderr}`);
    check(existsSync(recording), 'nothing was recorded');
    const converted = await execute(options.plait, ['trace', '--convert', recording, '--output', html]);
    equal(converted.status, 0, converted.stderr);
    const summarised = await execute(options.plait, ['trace', '--summary', '--json', recording]);
    equal(summarised.status, 0, summarised.stderr);
    return { html, summary: JSON.parse(summarised.stdout) };
}

/** Compares the sums of the page with the summary; returns the time of all states, in ns. */
async function compare(page, summary) {
    const told = await page.evaluate(() => {
        const { trace } = plaitPage.app;
        const times = {};
        trace.states.forEach(({ key }, s) => {
            times[key] = 0;
            for (let g = 0; g < trace.groups.rows; g++) {
                times[key] += trace.groups[`s${s}`][g];
            }
        });
        return { times, events: trace.meta.events, dropped: trace.meta.dropped, duration: trace.duration };
    });
    equal(told.events, summary.events, 'events');
    equal(told.dropped, summary.dropped, 'dropped');
    near(told.duration, summary.duration_s * 1e9, 1e4, 'duration');
    const expected = { running: summary.states.running, runnable: summary.states.runnable, ...summary.states.waiting };
    for (const [state, seconds] of Object.entries(expected)) {
        near(told.times[state] ?? 0, seconds * 1e9, Math.max(1e4, seconds * 1e3), state);
    }
    return Object.values(told.times).reduce((a, b) => a + b, 0);
}

test('the_page_of_a_demo_says_what_its_summary_says', async () => {
    const own = join(options.folder, 'plait-demo.html');
    rmSync(own, { force: true });
    const { html, summary } = await record('demo', options.plait, ['demo', '--json', '--page', own]);
    const opened = await open(browser, html);
    const { page } = opened;
    await compare(page, summary);
    await use(opened);
    const requests = await page.evaluate(() => {
        const table = plaitPage.app.trace.requests;
        return { rows: table.rows, longest: Math.max(...table.dur), names: [...table.name].map((n) => plaitPage.app.trace.names[n]) };
    });
    equal(requests.rows, 160, 'requests'); // only tasks of plait say what they request
    near(requests.longest, summary.requests[0].duration_s * 1e9, 1e4, 'the slowest request');
    check(requests.names.every((name) => name.includes('http')), requests.names[0]);
    await page.fill('#search', requests.names[0]);
    await page.keyboard.press('Enter');
    check(/^1 of \d/.test(await page.textContent('#hits')), 'the request was not found');
    await opened.close();

    const shownByDemo = await open(browser, own);
    equal(await shownByDemo.page.title(), 'plait demo: plait trace', 'title');
    equal(await shownByDemo.page.evaluate(() => plaitPage.app.trace.requests.rows), 160, 'requests of the page of the demo');
    await use(shownByDemo);
    await shownByDemo.close();
});

test('the_page_of_a_busy_program_says_what_its_summary_says', async () => {
    const { html, summary } = await record('busy', options.busy, [String(events)]);
    check(summary.events > events * 0.6, `only ${summary.events} events`);
    check(statSync(html).size < 10e6, `${statSync(html).size} bytes`);
    const opened = await open(browser, html);
    const { page } = opened;
    const sum = await compare(page, summary);
    await use(opened);
    const bins = await page.evaluate(() => {
        const { trace } = plaitPage.app;
        return trace.states.reduce((all, _, s) => all + trace.bins[`s${s}`].reduce((a, b) => a + b, 0), 0) * trace.meta.bins.unit_ns;
    });
    near(bins, sum, sum * 0.02, 'the bins');
    const lanes = await page.evaluate(() => {
        const { trace } = plaitPage.app;
        let time = 0;
        for (const { finest } of trace.taskLanes) {
            for (let i = 0; i < finest.count; i++) {
                time += finest.end[i] - finest.start[i];
                if (i && finest.start[i] < finest.end[i - 1]) {
                    throw new Error('cells overlap');
                }
            }
        }
        return time;
    });
    near(lanes, sum, sum * 0.02, 'the cells of the tasks');
    const text = await figures(page, 'time');
    check(text.includes('serve_client') && text.includes('write_journal'), text);
    check((await figures(page, 'objects')).includes('receive'), 'no channel among what was waited for');
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    await page.keyboard.type('checkpoint');
    await page.keyboard.press('Escape');
    await page.evaluate(() => plaitPage.app.goTask(plaitPage.app.trace.membersOf[0][0]));
    await page.keyboard.press('p');
    check((await page.textContent('#tab-body')).includes('Path to the end of'), 'no critical path');
    equal(opened.problems.join('\n'), '', 'problems');
    await opened.close();
});

await run(() => browser.close());
