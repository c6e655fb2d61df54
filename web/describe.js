// What a cell, span, request or group is, in words: for the tooltip, the table of the selection, and the spoken text.
import { amount, count, duration, exact } from './format.js';
import { MIXED } from './levels.js';
import { FIRST_WAIT, LANE_JOB, LANE_SLEEPS, RUNNING } from './model.js';
import { laneText } from './draw.js';
import { groupColour, stateColour } from './theme.js';

/** A description: {title, colour, facts: [[name, text, target?]...]}; a target is a task and a time to go to. */
function description(title, colour, facts) {
    return { title, colour, facts: facts.filter(Boolean) };
}

const when = (start, end) => ['from', `${exact(start)} to ${exact(end)}`];

function spanFacts(trace, task, time) {
    const inside = trace.spansAt(task, time).map((i) => trace.names[trace.spans.name[i]]);
    return inside.length ? ['in span', inside.join(' › ')] : null;
}

function mixture(trace, set, i) {
    const length = set.end[i] - set.start[i];
    const at = set.mix[i] * set.states;
    const parts = [];
    for (let s = 0; s < set.states; s++) {
        if (set.shares[at + s]) {
            parts.push([trace.states[s].label, (length * set.shares[at + s]) / 255]);
        }
    }
    parts.sort((a, b) => b[1] - a[1]);
    return parts.slice(0, 4).map(([label, time]) => `${label} ${duration(time)}`).join(', ');
}

function ofTask(app, { index: task, set, i }) {
    const { trace } = app;
    const kind = set.kind[i];
    const length = set.end[i] - set.start[i];
    if (kind === MIXED) {
        return description(trace.taskName(task), 'var(--text-faint)', [
            ['state', `${count(set.n[i])} short states`], ['length', duration(length)], when(set.start[i], set.end[i]),
            ['of these', mixture(trace, set, i)],
        ]);
    }
    const waits = kind >= FIRST_WAIT;
    const waker = waits ? app.wakes.of(task, i) : app.wakes.before(task, set.start[i]);
    const by = waits ? trace.wakerName(set.by[i]) : waker && trace.taskName(waker.from);
    const holder = set.hold[i] && waits ? set.hold[i] - 1 : -1;
    return description(trace.taskName(task), stateColour(trace.states[kind]), [
        ['state', waits ? `waits: ${trace.states[kind].label}` : trace.states[kind].label],
        ['length', duration(length)],
        when(set.start[i], set.end[i]),
        waits && set.ref[i] ? ['for', trace.objectName(set.ref[i] - 1)] : null,
        holder >= 0 ? ['held by', trace.taskName(holder), { task: holder, time: set.start[i] }] : null,
        kind === RUNNING && set.ref[i] ? ['on', trace.workerName(set.ref[i] - 1)] : null,
        by ? [waker?.cell === -1 ? 'spawned by' : 'woken by', by, waker ? { task: waker.from, time: waker.time } : undefined] : null,
        spanFacts(trace, task, set.start[i]),
    ]);
}

function ofWorker(app, { index: worker, set, i }) {
    const { trace } = app;
    const kind = set.kind[i];
    const length = set.end[i] - set.start[i];
    if (kind === LANE_SLEEPS) {
        return description(trace.workerName(worker), 'var(--line-strong)', [
            ['state', 'asleep: nothing to run'], ['length', duration(length)], when(set.start[i], set.end[i]),
        ]);
    }
    if (kind === MIXED) {
        const at = set.mix[i] * set.states;
        const busy = (length * (set.shares[at] + set.shares[at + LANE_JOB])) / 255;
        return description(trace.workerName(worker), 'var(--text-faint)', [
            ['state', `${count(set.n[i])} short slices`], ['length', duration(length)], when(set.start[i], set.end[i]),
            ['busy', duration(busy)], ['longest', laneText(trace, set, i)],
        ]);
    }
    const task = set.ref[i] - 1;
    const waker = kind !== LANE_JOB && task >= 0 ? app.wakes.before(task, set.start[i]) : null;
    return description(laneText(trace, set, i), groupColour(task >= 0 ? trace.tasks.group[task] : set.hold[i]), [
        [kind === LANE_JOB ? 'runs in' : 'on', trace.workerName(worker)],
        ['length', duration(length)],
        when(set.start[i], set.end[i]),
        kind === LANE_JOB && task >= 0 ? ['for', trace.taskName(task), { task, time: set.start[i] }] : null,
        waker ? [waker.cell === -1 ? 'spawned by' : 'woken by', trace.taskName(waker.from), { task: waker.from, time: waker.time }] : null,
        task >= 0 ? spanFacts(trace, task, set.start[i]) : null,
    ]);
}

function ofSpan({ trace }, { index: i }) {
    const { spans } = trace;
    return description(trace.names[spans.name[i]], groupColour(spans.name[i] + 3), [
        ['span of', trace.taskName(spans.task[i]), { task: spans.task[i], time: spans.start[i] }],
        ['length', duration(spans.dur[i])], when(spans.start[i], spans.end[i]),
    ]);
}

function ofRequest({ trace }, { index: i }) {
    const { requests } = trace;
    const task = requests.task[i] - 1;
    return description(trace.names[requests.name[i]], groupColour(4), [
        ['request of', task >= 0 ? trace.taskName(task) : 'a task without a lane', task >= 0 ? { task, time: requests.start[i] } : undefined],
        ['status', String(requests.status[i])],
        ['length', duration(requests.dur[i])], when(requests.start[i], requests.start[i] + requests.dur[i]),
        ...trace.phasesOf(i).map(({ name, start, end }) => [name, duration(end - start)]),
    ]);
}

function ofGroup({ trace }, { index: group, time }) {
    const bin = Math.min(trace.meta.bins.count - 1, Math.max(0, Math.floor((time / trace.duration) * trace.meta.bins.count)));
    const width = trace.duration / trace.meta.bins.count;
    const at = group * trace.meta.bins.count + bin;
    const rows = trace.states.map(({ label }, s) => [label, (trace.bins[`s${s}`][at] * trace.meta.bins.unit_ns) / width])
        .filter(([, tasks]) => tasks > 0.005).sort((a, b) => b[1] - a[1]).slice(0, 6);
    return description(trace.groupName(group), groupColour(group), [
        ['tasks', count(trace.groups.tasks[group])],
        ['at', exact(time)],
        ...rows.map(([label, tasks]) => [label, `${tasks.toFixed(tasks < 10 ? 2 : 0)} at once`]),
    ]);
}

function ofCounter({ trace }, { index, time }) {
    const counter = trace.counters[index];
    const value = trace.counterAt(counter, time);
    return description(counter.name, 'var(--accent)', [
        ['at', exact(time)], ['value', value === null ? 'none yet' : amount(value, counter.unit)],
    ]);
}

function ofInstant({ trace }, { index: i }) {
    const { instants } = trace;
    const task = instants.task[i] - 1;
    const lane = instants.lane[i] - 1;
    return description(trace.names[instants.name[i]], 'var(--text)', [
        ['at', exact(instants.time[i])],
        task >= 0 ? ['in', trace.taskName(task), { task, time: instants.time[i] }] : null,
        lane >= 0 ? ['on', trace.workerName(lane)] : null,
        instants.value[i] ? ['value', count(instants.value[i])] : null,
    ]);
}

const KINDS = { instant: ofInstant, task: ofTask, worker: ofWorker, span: ofSpan, request: ofRequest, group: ofGroup, counter: ofCounter };

/** Describes what was picked: {type, index, ...}. */
export function describe(app, picked) {
    return KINDS[picked.type](app, picked);
}

/** The same in one sentence, for the ear. */
export function spoken(app, picked) {
    const { title, facts } = describe(app, picked);
    return `${title}. ${facts.map(([name, text]) => `${name} ${text}`).join(', ')}.`;
}

/** The task that something picked belongs to, or -1. */
export function taskOf(trace, picked) {
    switch (picked?.type) {
    case 'task': return picked.index;
    case 'worker': return picked.set.ref[picked.i] - 1;
    case 'span': return trace.spans.task[picked.index];
    case 'request': return trace.requests.task[picked.index] - 1;
    case 'instant': return trace.instants.task[picked.index] - 1;
    default: return -1;
    }
}

/** The time that something picked covers. */
export function extent(trace, picked) {
    switch (picked.type) {
    case 'task':
    case 'worker': return [picked.set.start[picked.i], picked.set.end[picked.i]];
    case 'span': return [trace.spans.start[picked.index], trace.spans.end[picked.index]];
    case 'request': return [trace.requests.start[picked.index], trace.requests.start[picked.index] + trace.requests.dur[picked.index]];
    default: return null;
    }
}

