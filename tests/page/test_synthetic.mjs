// The page of recordings that never were, of any size (synthetic.c): what it holds, how large it is, how quick.
//
// usage: node test_synthetic.mjs --modules FOLDER --chromium PROGRAM --folder FOLDER --synthetic PROGRAM [--long]
//   long: 10 and 100 million events, which takes minutes
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { open, start, use } from './browser.mjs';
import { check, equal, execute, near, run, test } from './tap.mjs';

const { values: options } = parseArgs({ options: { long: { type: 'boolean' }, ...Object.fromEntries(
    ['modules', 'chromium', 'template', 'plain', 'folder', 'synthetic'].map((name) => [name, { type: 'string' }])) } });
const browser = await start(options.modules, options.chromium);

test('a_page_with_more_tasks_than_lanes_says_so_and_keeps_the_sums', async () => {
    const html = join(options.folder, 'synthetic.html');
    const made = await execute(options.synthetic, ['400000', '30000', html]);
    equal(made.status, 0, made.stderr);
    const { tasks, folded } = JSON.parse(made.stdout);
    equal(tasks, 30000, 'tasks');
    check(folded > 0, 'no task was folded');
    const opened = await open(browser, html);
    const told = await opened.page.evaluate(() => {
        const { trace } = plaitPage.app;
        const sum = (column) => column.reduce((a, b) => a + b, 0);
        return { lanes: trace.tasks.rows, all: sum(trace.groups.tasks),
            groups: trace.states.reduce((all, _, s) => all + sum(trace.groups[`s${s}`]), 0),
            bins: trace.states.reduce((all, _, s) => all + sum(trace.bins[`s${s}`]), 0) * trace.meta.bins.unit_ns,
            running: sum(trace.groups.s0), workers: sum(trace.workerLanes.map((_, w) => plaitPage.app.busyShare(w) * trace.duration)) };
    });
    equal(told.all, tasks, 'tasks of all groups');
    equal(told.lanes, tasks - folded, 'lanes');
    near(told.bins, told.groups, told.groups * 0.01, 'bins');
    near(told.workers, told.running, told.running * 0.02, 'workers');
    check((await opened.page.textContent('#quiet')).includes('in the rows of their functions only'), 'says nothing');
    await use(opened);
    await opened.close();
});

if (options.long) {
    for (const [millions, tasks] of [[10, 3000], [100, 50000]]) {
        test(`the_page_of_${millions}_million_events_is_small_and_quick`, async () => {
            const html = join(options.folder, `synthetic-${millions}.html`);
            const made = await execute(options.synthetic, [String(millions * 1e6), String(tasks), html]);
            equal(made.status, 0, made.stderr);
            console.log(`# ${made.stdout.trim()}`);
            check(statSync(html).size < 10e6, `${statSync(html).size} bytes`);
            const opened = await open(browser, html);
            const times = await opened.page.evaluate(() => {
                const paint = performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
                const { app } = plaitPage;
                const frames = [];
                app.show('tasks');
                for (const group of app.trace.membersOf.keys()) {
                    app.rows.open.add(group);
                }
                app.relay();
                for (let i = 0; i < 40; i++) {
                    const from = (app.trace.duration * i) / 50;
                    app.viewport.set(from, from + app.trace.duration / (1 + i * i));
                    app.timeline.scrollTo(i * 300);
                    const began = performance.now();
                    app.timeline.draw();
                    frames.push(performance.now() - began);
                }
                frames.sort((a, b) => a - b);
                return { paint, ready: plaitPage.readyMs, median: frames[20], worst: frames[39] };
            });
            console.log(`# first paint ${times.paint?.toFixed(0)} ms, ready ${times.ready.toFixed(0)} ms; frame: median ` +
                `${times.median.toFixed(1)} ms, longest ${times.worst.toFixed(1)} ms`);
            check(times.ready < 2000, `ready after ${times.ready} ms`);
            check(times.median < 50, `a frame takes ${times.median} ms`);
            await use(opened);
            await opened.close();
        });
    }
}

await run(() => browser.close());
