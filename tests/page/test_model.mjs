// What the page computes, without a browser: decoding, pyramids, sums, searches, critical paths.
import { readTable } from '../../web/block.js';
import { duration, moment, percent } from '../../web/format.js';
import { addTimes, buildLanes, MIXED } from '../../web/levels.js';
import { Trace } from '../../web/model.js';
import { criticalPath } from '../../web/path.js';
import { search } from '../../web/search.js';
import { timeByGroup, totals } from '../../web/stats.js';
import { block, encodeTable, simulate } from './sample.mjs';
import { check, equal, near, run, test } from './tap.mjs';

const simulated = simulate({ tasks: 60 });
const tables = block(simulated);

function decoded() {
    return Object.fromEntries(Object.entries(tables).map(([name, bytes]) =>
        [name, name === 'meta' ? JSON.parse(bytes) : readTable(new Uint8Array(bytes))]));
}

const trace = new Trace(decoded());

test('varints_and_differences_are_read_back', () => {
    const values = [0, 1, 127, 128, 16383, 16384, 2 ** 21, 2 ** 28 - 1, 2 ** 28, 2 ** 32 + 5, 2 ** 46 + 12345];
    const signed = [0, -1, 1, -64, 64, -(2 ** 33), 2 ** 40, 7, -(2 ** 45)];
    const table = readTable(new Uint8Array(encodeTable([['a', 1, 8, values]])));
    equal(JSON.stringify([...table.a]), JSON.stringify(values), 'varints');
    const other = readTable(new Uint8Array(encodeTable([['b', 2, 8, signed], ['c', 0, 1, signed.map((_, i) => i * 20)]])));
    equal(JSON.stringify([...other.b]), JSON.stringify(signed), 'differences');
    equal(other.c[8], 160, 'bytes');
});

test('a_damaged_column_is_refused', () => {
    const bytes = new Uint8Array(encodeTable([['a', 1, 8, [1, 2, 3000]]]));
    bytes[bytes.length - 1] |= 0x80; // the last varint never ends
    let refused = false;
    try {
        readTable(bytes);
    } catch {
        refused = true;
    }
    check(refused, 'the table was read');
});

test('each_level_of_a_pyramid_holds_the_same_time', () => {
    const cells = 5000;
    const columns = { gap: [], dur: [], kind: [], ref: [], by: [], hold: [], n: [] };
    let sum = 0;
    for (let i = 0; i < cells; i++) {
        columns.gap.push(i % 7 === 0 ? 900 : 0);
        columns.dur.push(100 + ((i * 7919) % 4000) + (i % 500 === 0 ? 1e6 : 0));
        columns.kind.push(i % 3);
        columns.n.push(1);
        ['ref', 'by', 'hold'].forEach((name) => columns[name].push(0));
        sum += columns.dur[i];
    }
    const table = { rows: cells, ...columns, kind: Uint8Array.from(columns.kind) };
    for (const name of ['ref', 'by', 'hold', 'n', 'gap', 'dur']) {
        table[name] = Float64Array.from(columns[name]);
    }
    const [pyramid] = buildLanes(table, {}, [cells], 3);
    let before = cells + 1;
    for (const ns of [1, 1000, 16000, 256000, 4e6]) {
        const level = pyramid.at(ns);
        const times = new Float64Array(3);
        let slices = 0;
        for (let i = 0; i < level.count; i++) {
            addTimes(level, i, 1, times);
            slices += level.n[i];
            check(i === 0 || level.start[i] >= level.end[i - 1], 'cells overlap');
            check(level.kind[i] === MIXED || level.mix[i] < 0, 'a cell of one state has shares');
        }
        equal(slices, cells, `slices at ${ns} ns`);
        near(times.reduce((a, b) => a + b, 0), sum, sum * 0.02, `time at ${ns} ns`);
        check(level.count <= before, 'a coarser level has more cells');
        before = level.count;
    }
    check(before < cells / 8, 'the coarsest level is hardly coarser');
});

test('what_is_long_stays_exact_on_coarse_levels', () => {
    const { finest } = trace.taskLanes[0];
    const longest = Math.max(...[...finest.end].map((end, i) => end - finest.start[i]));
    const coarse = trace.taskLanes[0].at(longest / 2);
    check([...coarse.end].some((end, i) => end - coarse.start[i] === longest && coarse.kind[i] !== MIXED), 'the longest cell is gone');
});

test('a_selected_stretch_and_its_complement_add_up_to_the_whole', () => {
    const whole = totals(timeByGroup(trace, 0, trace.duration).rows, trace.states.length);
    const middle = trace.duration * 0.37;
    const first = totals(timeByGroup(trace, 0, middle).rows, trace.states.length);
    const second = totals(timeByGroup(trace, middle, trace.duration).rows, trace.states.length);
    whole.forEach((time, s) => near(first[s] + second[s], time, 2, trace.states[s].key));
    check(whole[0] > 0 && whole[1] > 0 && whole[2] > 0, 'a state has no time at all');
});

test('bins_say_the_same_as_cells', () => {
    const { count, unit_ns: unit } = trace.meta.bins;
    for (let g = 0; g < trace.groups.rows; g++) {
        let sum = 0;
        for (let i = g * count; i < (g + 1) * count; i++) {
            sum += trace.bins.s0[i] * unit;
        }
        near(sum, trace.groups.s0[g], count * unit, trace.groupName(g));
    }
});

test('the_critical_path_leaves_out_no_moment', () => {
    const parsers = trace.membersOf.find((members) => trace.names[trace.tasks.name[members[0]]] === 'parse_page');
    for (const task of [0, ...parsers]) {
        const steps = criticalPath(trace, task, trace.tasks.end[task]);
        check(steps.length > 10, `only ${steps.length} steps`);
        near(steps.reduce((sum, s) => sum + s.end - s.start, 0), trace.tasks.end[task] - steps[0].start, 1, 'sum of the steps');
        for (let i = 1; i < steps.length; i++) {
            near(steps[i].start, steps[i - 1].end, 1, `step ${i} begins where the one before ends`);
        }
        check(new Set(steps.map((s) => s.task)).size > (task ? 2 : 1), 'the path never leaves its task');
        equal(steps[0].start, 0, 'the path begins with the first task');
    }
});

test('a_search_finds_tasks_spans_objects_and_requests', () => {
    const kinds = (query) => new Set(search(trace, query).list.map((hit) => hit.type));
    check(kinds('parse_page').has('task'), 'task');
    check(kinds('insert').has('span'), 'span');
    check(kinds('mutex index').has('wait'), 'object');
    check(kinds('page/3').has('request'), 'request');
    equal(search(trace, '#5').list.length, 1, 'a number');
    equal(search(trace, 'no such thing').total, 0, 'nothing');
    equal(search(trace, '  '), null, 'an empty query');
});

test('lengths_and_moments_are_written_for_people', () => {
    equal(duration(0), '0', 'nothing');
    equal(duration(999), '999 ns', 'ns');
    equal(duration(1500), '1.50 µs', 'µs');
    equal(duration(999999), '1.00 ms', 'rounded up');
    equal(duration(12.3e9), '12.3 s', 's');
    equal(duration(185e9), '3 min 5.0 s', 'minutes');
    equal(moment(1.25e9, 1e7), '1.25 s', 'moment');
    equal(percent(1, 3), '33 %', 'percent');
});

await run();
