// A recording that never was: simulated tasks on simulated workers, written as the data block of the page. For the page's own
// tests and for looking at it, without a run of plait. It says the same each time.
//
// usage: node sample.mjs TEMPLATE.html OUT.html [TASKS]
import { readFileSync, writeFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { pathToFileURL } from 'node:url';

const US = 1e3;
const MS = 1e6;

/** A random number generator that gives the same numbers each time. */
export function random(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

function varint(out, value) {
    let rest = value;
    while (rest >= 128) {
        out.push((rest % 128) | 128);
        rest = Math.floor(rest / 128);
    }
    out.push(rest);
}

/** One table as the page reads it (web/block.js): columns are [name, encoding, width, values]. */
export function encodeTable(columns) {
    const rows = columns.length ? columns[0][3].length : 0;
    const head = Buffer.alloc(8);
    head.writeUInt32LE(rows, 0);
    head.writeUInt32LE(columns.length, 4);
    const parts = [head];
    const bodies = [];
    for (const [name, encoding, width, values] of columns) {
        const body = [];
        let before = 0;
        for (const value of values) {
            if (encoding === 0) {
                body.push(value);
            } else if (encoding === 1) {
                varint(body, value);
            } else {
                const delta = value - before;
                varint(body, delta < 0 ? -2 * delta - 1 : 2 * delta);
                before = value;
            }
        }
        const descriptor = Buffer.alloc(1 + name.length + 6);
        descriptor[0] = name.length;
        descriptor.write(name, 1);
        descriptor[1 + name.length] = encoding;
        descriptor[2 + name.length] = width;
        descriptor.writeUInt32LE(body.length, 3 + name.length);
        parts.push(descriptor);
        bodies.push(Buffer.from(body));
    }
    return Buffer.concat([...parts, ...bodies]);
}

const STATES = ['running', 'runnable', 'mutex', 'channel', 'read', 'sleep', 'join', 'call', 'http'];
const [MUTEX, CHANNEL, READ, SLEEP, JOIN, CALL, HTTP] = [2, 3, 4, 5, 6, 7, 8];

/** Simulates tasks that fetch, parse and store, a pool of workers, a lock, a channel. */
export function simulate({ tasks: wanted = 60, workers = 3, seed = 7 } = {}) {
    const dice = random(seed);
    const between = (a, b) => Math.round(a + (b - a) * dice() ** 2);
    const names = [];
    const name = (text) => {
        let i = names.indexOf(text);
        if (i < 0) {
            i = names.push(text) - 1;
        }
        return i;
    };
    const objects = [];
    const object = (kind, text) => {
        let i = objects.findIndex((o) => o.text === text);
        if (i < 0) {
            i = objects.push({ kind, text, name: name(text), count: 0, total: 0, longest: 0 }) - 1;
        }
        return i;
    };
    const tasks = [];
    const events = []; // [time, order, act]
    let order = 0;
    const at = (time, act) => {
        events.push([time, order++, act]);
        events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    };
    const free = Array.from({ length: workers }, (_, w) => w);
    const ready = [];
    const laneCells = Array.from({ length: workers }, () => []);
    const requests = [];
    let now = 0;

    const locks = new Map();
    const dispatch = () => {
        while (free.length && ready.length) {
            const worker = free.shift();
            const task = ready.shift();
            run(task, worker);
        }
    };
    const close = (task, kind, extra = {}) => {
        if (now > task.since) {
            task.cells.push({ start: task.since, end: now, kind, ref: 0, by: 0, hold: 0, ...extra });
        }
        task.since = now;
    };
    const wake = (task, by) => {
        const waited = task.waiting;
        if (waited.object >= 0) {
            const o = objects[waited.object];
            o.count++;
            o.total += now - task.since;
            o.longest = Math.max(o.longest, now - task.since);
        }
        close(task, waited.kind, { ref: waited.object + 1, by, hold: waited.holder });
        task.waiting = null;
        ready.push(task);
        dispatch();
    };
    const spawn = (group, steps, parent) => {
        const task = { index: tasks.length, group, steps, at: 0, since: now, born: now, cells: [], spans: [], parent, waiting: null, end: 0, joiner: null, children: 0 };
        tasks.push(task);
        if (parent >= 0) {
            tasks[parent].children++;
        }
        ready.push(task);
        return task;
    };
    const block = (task, worker, kind, text, holder = 0) => {
        task.waiting = { kind, object: text ? object(kind, text) : -1, holder };
        free.push(worker);
        dispatch();
    };
    const proceed = (task, worker) => {
        const step = task.steps[task.at++];
        if (!step) {
            task.end = now;
            free.push(worker);
            const parent = tasks[task.parent];
            if (parent && --parent.children === 0 && parent.waiting?.kind === JOIN) {
                wake(parent, task.index + 3);
            }
            dispatch();
            return;
        }
        const [act, ...arguments_] = step;
        acts[act](task, worker, ...arguments_);
    };
    function run(task, worker) {
        close(task, 1);
        task.worker = worker;
        proceed(task, worker);
    }
    const goOn = (task, worker) => proceed(task, worker);
    const acts = {
        compute: (task, worker, ns) => at(now + ns, () => {
            laneCells[worker].push({ start: task.since, end: now, kind: 0, ref: task.index + 1, by: task.group, hold: 0 });
            close(task, 0, { ref: worker + 1 });
            goOn(task, worker);
        }),
        begin: (task, worker, text) => { task.spans.push({ name: name(text), start: now, depth: task.spans.filter((s) => !s.end).length }); goOn(task, worker); },
        end: (task, worker) => { task.spans.filter((s) => !s.end).pop().end = now; goOn(task, worker); },
        sleep: (task, worker, ns) => { block(task, worker, SLEEP, 'sleep'); at(now + ns, () => wake(task, 1)); },
        read: (task, worker, ns, fd) => { block(task, worker, READ, `read descriptor ${fd}`); at(now + ns, () => wake(task, 1)); },
        call: (task, worker, ns) => { block(task, worker, CALL, 'call'); at(now + ns, () => wake(task, 1)); },
        http: (task, worker, ns, url) => {
            block(task, worker, HTTP, `http ${url}`);
            const began = now;
            at(now + ns, () => {
                requests.push({ task: task.index, name: name(url), start: began, dur: ns, status: 200,
                    phases: [0.02, 0.1, 0.25, 0.25, 0.3, 0.85, 1].map((part) => Math.round(part * ns) + 1) });
                wake(task, 1);
            });
        },
        lock: (task, worker, text) => {
            const lock = locks.get(text) ?? { holder: null, queue: [] };
            locks.set(text, lock);
            if (lock.holder === null) {
                lock.holder = task;
                goOn(task, worker);
            } else {
                lock.queue.push(task);
                block(task, worker, MUTEX, `mutex ${text}`, lock.holder.index + 1);
            }
        },
        unlock: (task, worker, text) => {
            const lock = locks.get(text);
            const next = lock.queue.shift() ?? null;
            lock.holder = next;
            if (next) {
                wake(next, task.index + 3);
            }
            goOn(task, worker);
        },
        send: (task, worker) => {
            if (receivers.length) {
                wake(receivers.shift(), task.index + 3);
            } else {
                mail++;
            }
            goOn(task, worker);
        },
        receive: (task, worker) => {
            if (mail > 0) {
                mail--;
                goOn(task, worker);
            } else {
                receivers.push(task);
                block(task, worker, CHANNEL, 'channel pages');
            }
        },
        spawn: (task, worker, group, steps) => { spawn(group, steps, task.index); goOn(task, worker); },
        join: (task, worker) => (task.children ? block(task, worker, JOIN, 'join') : goOn(task, worker)),
    };
    let mail = 0;
    const receivers = [];

    const groups = ['app', 'fetch_page', 'parse_page', 'store', 'heartbeat'].map(name);
    const [APP, FETCH, PARSE, STORE, BEAT] = groups.map((_, g) => g);
    const fetches = Math.max(4, Math.floor(wanted * 0.7));
    const parsers = Math.max(2, Math.floor(wanted * 0.15));
    const main = [['compute', 300 * US]];
    for (let i = 0; i < fetches; i++) {
        const size = between(200 * US, 2 * MS);
        main.push(['spawn', FETCH, [['compute', between(20 * US, 200 * US)], ['begin', 'get'],
            ['http', between(4 * MS, 40 * MS), `GET https://example.test/page/${i}`], ['begin', 'decode'], ['compute', size], ['end'], ['end'],
            ['send'], ['compute', 30 * US]]]);
        main.push(['compute', between(10 * US, 60 * US)]);
    }
    for (let i = 0; i < parsers; i++) {
        const steps = [];
        for (let k = i; k < fetches; k += parsers) {
            steps.push(['receive'], ['begin', 'parse'], ['compute', between(300 * US, 3 * MS)], ['lock', 'index'], ['begin', 'insert'],
                ['compute', between(100 * US, 900 * US)], ...(k % 11 === 0 ? [['call', between(3 * MS, 14 * MS)]] : []), ['end'], ['unlock', 'index'], ['end']);
        }
        main.push(['spawn', PARSE, steps]);
    }
    for (let i = 0; i < 3; i++) {
        main.push(['spawn', STORE, Array.from({ length: 12 }, () => [['compute', between(100 * US, 700 * US)], ['read', between(MS, 9 * MS), 9 + i],
            ['lock', 'journal'], ['compute', between(50 * US, 2 * MS)], ['unlock', 'journal']]).flat()]);
    }
    main.push(['spawn', BEAT, Array.from({ length: 20 }, () => [['sleep', 6 * MS], ['compute', 15 * US]]).flat()]);
    main.push(['join'], ['compute', 500 * US]);
    spawn(APP, main, -1);
    dispatch();
    const counters = [];
    while (events.length) {
        const [time, , act] = events.shift();
        now = time;
        act();
        counters.push({ time, alive: tasks.filter((t) => !t.end).length, ready: ready.length });
    }
    return { duration: now, names, groups, tasks, objects, requests, laneCells, counters, workers, name };
}

function cellColumns(lanes) {
    const columns = { gap: [], dur: [], kind: [], ref: [], by: [], hold: [], n: [] };
    for (const lane of lanes) {
        let clock = 0;
        for (const cell of lane) {
            columns.gap.push(cell.start - clock);
            columns.dur.push(cell.end - cell.start);
            clock = cell.end;
            for (const key of ['kind', 'ref', 'by', 'hold']) {
                columns[key].push(cell[key]);
            }
            columns.n.push(1);
        }
    }
    return [['gap', 1, 8, columns.gap], ['dur', 1, 8, columns.dur], ['kind', 0, 1, columns.kind], ['ref', 1, 4, columns.ref],
        ['by', 1, 4, columns.by], ['hold', 1, 4, columns.hold], ['n', 1, 4, columns.n]];
}

/** The tables of a simulated recording: {name: Buffer}, with meta as JSON. */
export function block(run) {
    const { tasks, names, objects } = run;
    const binCount = 512;
    const unit = 16;
    const width = run.duration / binCount;
    const bins = STATES.map(() => new Array(run.groups.length * binCount).fill(0));
    const groupTimes = STATES.map(() => run.groups.map(() => 0));
    const times = tasks.map(() => STATES.map(() => 0));
    const longest = tasks.map(() => 0);
    tasks.forEach((task, t) => task.cells.forEach(({ start, end, kind }) => {
        times[t][kind] += end - start;
        groupTimes[kind][task.group] += end - start;
        if (kind) {
            longest[t] = Math.max(longest[t], end - start);
        }
        for (let b = Math.floor(start / width); b < binCount && b * width < end; b++) {
            bins[kind][task.group * binCount + b] += Math.min(end, (b + 1) * width) - Math.max(start, b * width);
        }
    }));
    const workerNames = run.laneCells.map((_, w) => run.name(`worker ${w}`));
    const spans = tasks.flatMap((task) => [...task.spans].sort((a, b) => a.start - b.start || b.end - a.end));
    const sumOf = (t, from) => times[t].slice(from).reduce((a, b) => a + b, 0);
    const step = Math.max(1, Math.floor(run.counters.length / 800));
    const samples = run.counters.filter((_, i) => i % step === 0);
    const meta = {
        schema: 1, program: 'sample', command: 'sample --tasks', duration_ns: run.duration,
        events: tasks.reduce((n, t) => n + t.cells.length, 0), dropped: 0, processes: 1, states: STATES, names,
        bins: { count: binCount, unit_ns: unit },
        counters: [{ name: 'tasks', samples: samples.length, scale: 1 }, { name: 'run queue', samples: samples.length, scale: 1 },
            { name: 'rss', unit: 'bytes', samples: samples.length, scale: 1 }],
        notes: [],
    };
    const table = {
        workers: [['kind', 0, 1, workerNames.map(() => 0)], ['name', 1, 4, workerNames], ['cells', 1, 4, run.laneCells.map((c) => c.length)]],
        worker_cells: cellColumns(run.laneCells),
        tasks: [['id', 2, 8, tasks.map((_, t) => t + 1)], ['name', 1, 4, tasks.map((t) => run.groups[t.group])],
            ['group', 1, 4, tasks.map((t) => t.group)], ['parent', 1, 4, tasks.map((t) => t.parent + 1)],
            ['start', 2, 8, tasks.map((t) => t.born)], ['end', 2, 8, tasks.map((t) => t.end)],
            ['cells', 1, 4, tasks.map((t) => t.cells.length)], ['spans', 1, 4, tasks.map((t) => t.spans.length)],
            ['running', 1, 8, times.map((t) => t[0])], ['runnable', 1, 8, times.map((t) => t[1])],
            ['waiting', 1, 8, times.map((_, t) => sumOf(t, 2))], ['longest', 1, 8, longest]],
        task_cells: cellColumns(tasks.map((t) => t.cells)),
        groups: [['name', 1, 4, run.groups], ['tasks', 1, 4, run.groups.map((_, g) => tasks.filter((t) => t.group === g).length)],
            ...STATES.map((_, s) => [`s${s}`, 1, 8, groupTimes[s]])],
        bins: STATES.map((_, s) => [`s${s}`, 1, 4, bins[s].map((v) => Math.round(v / unit))]),
        objects: [['name', 1, 4, objects.map((o) => o.name)], ['kind', 0, 1, objects.map((o) => o.kind)],
            ...['count', 'total', 'longest'].map((key) => [key, 1, 8, objects.map((o) => o[key])])],
        spans: [['name', 1, 4, spans.map((s) => s.name)], ['start', 2, 8, spans.map((s) => s.start)],
            ['dur', 1, 8, spans.map((s) => s.end - s.start)], ['depth', 0, 1, spans.map((s) => s.depth)]],
        requests: [['task', 1, 4, run.requests.map((r) => r.task + 1)], ['name', 1, 4, run.requests.map((r) => r.name)],
            ['start', 2, 8, run.requests.map((r) => r.start)], ['dur', 1, 8, run.requests.map((r) => r.dur)],
            ['status', 2, 8, run.requests.map((r) => r.status)],
            ...[0, 1, 2, 3, 4, 5, 6].map((p) => [`p${p}`, 1, 8, run.requests.map((r) => r.phases[p])])],
        samples: [['time', 2, 8, [...samples, ...samples, ...samples].map((s) => s.time)],
            ['value', 2, 8, [...samples.map((s) => s.alive), ...samples.map((s) => s.ready),
                ...samples.map((s, i) => 9e6 + s.alive * 40960 + i * 1024)]]],
    };
    const tables = Object.fromEntries(Object.entries(table).map(([key, columns]) => [key, encodeTable(columns)]));
    tables.meta = Buffer.from(JSON.stringify(meta));
    return tables;
}

/** The page with these tables in it. */
export function fill(template, tables) {
    const data = Object.entries(tables).map(([key, bytes]) =>
        `<script type="text/plain" data-table="${key}">${deflateSync(bytes).toString('base64')}</script>`).join('\n');
    return template.replace('@DATA@', () => data).replace('@TITLE@', 'sample: plait trace');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const [template, out, tasks] = process.argv.slice(2);
    writeFileSync(out, fill(readFileSync(template, 'utf8'), block(simulate({ tasks: Number(tasks ?? 60) }))));
}
