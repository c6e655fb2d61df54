// Sums over a stretch of time: where the time of the tasks went, what the workers did, how the counters were.
import { addTimes, firstEndingAfter } from './levels.js';
import { LANE_JOB, LANE_RUNS, LANE_SLEEPS, LANE_STATES } from './model.js';

function addLane(set, from, to, sum) {
    let cells = 0;
    for (let i = firstEndingAfter(set, from); i < set.count && set.start[i] < to; i++) {
        const length = set.end[i] - set.start[i];
        const inside = Math.min(set.end[i], to) - Math.max(set.start[i], from);
        addTimes(set, i, length > 0 ? inside / length : 0, sum);
        cells += set.n[i];
    }
    return cells;
}

function addBins(trace, group, from, to, sum) {
    const { count, unit_ns: unit } = trace.meta.bins;
    const width = trace.duration / count;
    const first = Math.max(0, Math.floor(from / width));
    const last = Math.min(count - 1, Math.floor(to / width));
    for (let bin = first; bin <= last; bin++) {
        const inside = Math.min(to, (bin + 1) * width) - Math.max(from, bin * width);
        const factor = (Math.max(0, inside) / width) * unit;
        for (let s = 0; s < trace.states.length; s++) {
            sum[s] += trace.bins[`s${s}`][group * count + bin] * factor;
        }
    }
}

/**
 * The time that tasks spent in each state between two moments, by group.
 * The whole run is what was counted when the page was written; a part of it is exact where all tasks have lanes of their
 * own, and else as fine as the bins of the groups.
 */
export function timeByGroup(trace, from, to) {
    const whole = from <= 0 && to >= trace.duration;
    const states = trace.states.length;
    const rows = [];
    for (let g = 0; g < trace.groups.rows; g++) {
        const times = new Float64Array(states);
        if (whole) {
            for (let s = 0; s < states; s++) {
                times[s] = trace.groups[`s${s}`][g];
            }
        } else if (trace.groups.tasks[g] === trace.membersOf[g].length) {
            for (const task of trace.membersOf[g]) {
                if (trace.tasks.end[task] > from && trace.tasks.start[task] < to) {
                    addLane(trace.taskLanes[task].finest, from, to, times);
                }
            }
        } else {
            addBins(trace, g, from, to, times);
        }
        rows.push({ group: g, times, total: times.reduce((a, b) => a + b, 0) });
    }
    return { rows, exact: whole || trace.folded === 0 };
}

/** The same for one task. */
export function timeOfTask(trace, task, from, to) {
    const times = new Float64Array(trace.states.length);
    addLane(trace.taskLanes[task].finest, from, to, times);
    return times;
}

/** The sum over all groups. */
export function totals(rows, states) {
    const sum = new Float64Array(states);
    for (const row of rows) {
        row.times.forEach((time, s) => { sum[s] += time; });
    }
    return sum;
}

/** How long each worker was busy between two moments. */
export function busyWorkers(trace, from, to) {
    return trace.workerLanes.map((lane, worker) => {
        const sum = new Float64Array(LANE_STATES);
        const slices = addLane(lane.finest, from, to, sum);
        return { worker, busy: sum[LANE_RUNS] + sum[LANE_JOB], asleep: sum[LANE_SLEEPS], slices };
    });
}

/** The spans that lie (at least in part) between two moments, by name. */
export function spansByName(trace, from, to) {
    const { spans } = trace;
    const byName = new Map();
    for (let i = 0; i < spans.rows; i++) {
        if (spans.end[i] <= from || spans.start[i] >= to) {
            continue;
        }
        const name = spans.name[i];
        let row = byName.get(name);
        if (!row) {
            byName.set(name, row = { name, count: 0, total: 0, longest: i });
        }
        row.count++;
        row.total += Math.min(spans.end[i], to) - Math.max(spans.start[i], from);
        if (spans.dur[i] > spans.dur[row.longest]) {
            row.longest = i;
        }
    }
    return [...byName.values()].sort((a, b) => b.total - a.total);
}

/** Least, mean (over time) and greatest value of a counter between two moments; null when it has no value there. */
export function counterRange(trace, counter, from, to) {
    let min = Infinity;
    let max = -Infinity;
    let area = 0;
    let length = 0;
    const { time, value } = counter;
    for (let i = 0; i < time.length && time[i] < to; i++) {
        const until = i + 1 < time.length ? time[i + 1] : trace.duration;
        if (until <= from) {
            continue;
        }
        const inside = Math.min(until, to) - Math.max(time[i], from);
        min = Math.min(min, value[i]);
        max = Math.max(max, value[i]);
        area += value[i] * inside;
        length += inside;
    }
    return length > 0 ? { min, max, mean: area / length } : null;
}
