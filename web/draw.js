// Draws the lanes: cells of workers and tasks, mixtures of groups, spans, counters. All coordinates are CSS pixels.
import { firstEndingAfter, MIXED } from './levels.js';
import { FIRST_WAIT, LANE_JOB, LANE_RUNS, LANE_SLEEPS, RUNNABLE } from './model.js';
import { amount } from './format.js';
import { SPANS_DEEP, spanHeight, spanTop } from './rows.js';
import { groupColour, palette, stateColour } from './theme.js';

const TEXT_MIN = 34;    // px that a cell needs to carry a text
const GAP_MIN = 5;      // px from which cells have a gap after them
const WAIT_TINT = 0.24;

const widths = new Map();

/** Cuts a text so that it fits into `room` px; empty when hardly anything would be left. */
export function fit(context, text, room) {
    const key = `${context.font}|${text}`;
    let width = widths.get(key);
    if (width === undefined) {
        if (widths.size > 5000) {
            widths.clear();
        }
        widths.set(key, width = context.measureText(text).width);
    }
    if (width <= room) {
        return text;
    }
    const keep = Math.floor((text.length * room) / width) - 1;
    return keep >= 3 ? `${text.slice(0, keep)}…` : '';
}

/** What a frame is drawn with: the context, the time scale, and the look. */
export class Frame {
    constructor(context, viewport, left, width, trace) {
        this.context = context;
        this.left = left;
        this.width = width;
        this.from = viewport.from;
        this.to = viewport.to;
        this.scale = width / (viewport.to - viewport.from);
        this.ratio = window.devicePixelRatio || 1;
        this.pixel = 1 / this.scale; // ns in a pixel
        this.trace = trace;
        this.colours = palette();
        this.stateColours = trace.states.map(stateColour);
        this.dimmed = null;         // a test of cells: those that fail are pale
    }

    /** The edge of a device's pixel next to x: neighbours that share it leave no seam. */
    snap(x) {
        return Math.round(x * this.ratio) / this.ratio;
    }

    x(time) {
        return this.left + (time - this.from) * this.scale;
    }
}

function text(frame, label, x0, x1, y, height, colour) {
    const from = Math.max(x0, frame.left);
    const room = Math.min(x1, frame.left + frame.width) - from - 8;
    if (room < TEXT_MIN - 8) {
        return;
    }
    const shown = fit(frame.context, label, room);
    if (shown) {
        frame.context.fillStyle = colour;
        frame.context.fillText(shown, from + 4, y + height / 2 + 0.5);
    }
}

// Calls draw(i, x, width) for each visible cell; those that would share a pixel with the one before are left out.
function eachCell(frame, pyramid, draw) {
    const set = pyramid.at(frame.pixel * 1.5);
    let edge = -Infinity;
    for (let i = firstEndingAfter(set, frame.from); i < set.count && set.start[i] < frame.to; i++) {
        const x0 = Math.max(frame.x(set.start[i]), frame.left - 2);
        const x1 = Math.min(frame.x(set.end[i]), frame.left + frame.width + 2);
        if (x1 - x0 < 1 && x1 < edge) {
            continue;
        }
        const width = Math.max(x1 - x0, 1);
        edge = x0 + width;
        draw(set, i, x0, width > GAP_MIN ? width - 1 : width);
    }
}

export function drawWorker(frame, worker, y, height) {
    const { context, trace, colours } = frame;
    const top = y + 4;
    const tall = height - 8;
    eachCell(frame, trace.workerLanes[worker], (set, i, x, width) => {
        const kind = set.kind[i];
        if (kind === LANE_SLEEPS) {
            context.fillStyle = colours.line;
            context.fillRect(x, top + tall - 2, width, 2);
            return;
        }
        const task = set.ref[i] - 1;
        const colour = groupColour(task >= 0 ? trace.tasks.group[task] : set.hold[i]);
        const alpha = frame.dimmed && !frame.dimmed('worker', worker, set, i) ? 0.18 : 1;
        context.fillStyle = colour;
        if (kind === MIXED) {
            const at = set.mix[i] * set.states;
            const share = (set.shares[at + LANE_RUNS] + set.shares[at + LANE_JOB]) / 255;
            context.globalAlpha = alpha * 0.3;
            context.fillRect(x, top, width, tall);
            context.globalAlpha = alpha;
            context.fillRect(x, top + tall * (1 - share), width, tall * share);
        } else {
            context.globalAlpha = alpha;
            context.fillRect(x, top, width, tall);
            if (width > TEXT_MIN) {
                text(frame, laneText(trace, set, i), x, x + width, top, tall, colours.onGroup);
            }
        }
        context.globalAlpha = 1;
    });
}

/** What a worker's cell is called: its task, or its job. */
export function laneText(trace, set, i) {
    return set.kind[i] !== LANE_JOB && set.ref[i] ? trace.taskName(set.ref[i] - 1) : trace.names[set.by[i]];
}

function cellText(trace, set, i) {
    const state = trace.states[set.kind[i]];
    if (set.kind[i] < FIRST_WAIT) {
        return set.kind[i] === RUNNABLE || !set.ref[i] ? state.label : `${state.label} · ${trace.workerName(set.ref[i] - 1)}`;
    }
    return set.ref[i] ? trace.objectName(set.ref[i] - 1) : state.label;
}

function drawState(frame, kind, x, y, width, height) {
    const { context } = frame;
    context.fillStyle = frame.stateColours[kind];
    if (kind < FIRST_WAIT) {
        context.fillRect(x, y, width, height);
        return;
    }
    const alpha = context.globalAlpha;
    context.globalAlpha = alpha * WAIT_TINT;
    context.fillRect(x, y, width, height);
    context.globalAlpha = alpha;
    context.fillRect(x, y + height - 3, width, 3);
}

export function drawTask(frame, task, y) {
    const { context, trace, colours } = frame;
    const top = y + 3;
    const tall = spanTop(0) - 5;
    eachCell(frame, trace.taskLanes[task], (set, i, x, width) => {
        context.globalAlpha = frame.dimmed && !frame.dimmed('task', task, set, i) ? 0.18 : 1;
        if (set.kind[i] === MIXED) {
            let at = top + tall;
            for (let s = 0; s < trace.states.length; s++) {
                const share = set.shares[set.mix[i] * trace.states.length + s];
                if (share) {
                    const part = (tall * share) / 255;
                    at -= part;
                    context.fillStyle = frame.stateColours[s];
                    context.fillRect(x, at, width, part);
                }
            }
            return;
        }
        drawState(frame, set.kind[i], x, top, width, tall);
        if (width > TEXT_MIN) {
            const solid = set.kind[i] < FIRST_WAIT;
            text(frame, cellText(trace, set, i), x, x + width, top, solid ? tall : tall - 2, solid ? colours.onState : colours.text);
        }
    });
    context.globalAlpha = 1;
    drawSpans(frame, task, y);
    drawRequests(frame, task, y);
}

function drawBar(frame, start, end, top, colour, label, alpha) {
    const { context, colours } = frame;
    const x0 = Math.max(frame.x(start), frame.left - 2);
    const x1 = Math.min(frame.x(end), frame.left + frame.width + 2);
    const width = Math.max(1, x1 - x0 > GAP_MIN ? x1 - x0 - 1 : x1 - x0);
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillRect(x0, top, width, spanHeight());
    if (width > TEXT_MIN) {
        text(frame, label, x0, x0 + width, top, spanHeight(), colours.onGroup);
    }
    context.globalAlpha = 1;
}

function drawRequests(frame, task, y) {
    const { trace } = frame;
    const { requests } = trace;
    const depth = trace.spanDepth[task];
    for (const i of trace.requestsOf.get(task) ?? []) {
        const end = requests.start[i] + requests.dur[i];
        if (requests.start[i] > frame.to || end < frame.from || depth >= SPANS_DEEP) {
            continue;
        }
        const alpha = frame.dimmed && !frame.dimmed('request', i) ? 0.18 : 1;
        drawBar(frame, requests.start[i], end, y + spanTop(depth), groupColour(4), trace.names[requests.name[i]], alpha);
        if (depth + 1 < SPANS_DEEP && requests.dur[i] * frame.scale > 3) {
            for (const { name, phase, start, end: until } of trace.phasesOf(i)) {
                drawBar(frame, start, until, y + spanTop(depth + 1), groupColour(phase + 5), name, alpha * 0.8);
            }
        }
    }
}

function drawSpans(frame, task, y) {
    const { context, trace, colours } = frame;
    const { spans } = trace;
    const edge = new Float64Array(SPANS_DEEP).fill(-Infinity);
    for (let i = trace.spanFrom[task]; i < trace.spanFrom[task + 1] && spans.start[i] < frame.to; i++) {
        const depth = spans.depth[i];
        if (spans.end[i] < frame.from || depth >= SPANS_DEEP) {
            continue;
        }
        const x0 = Math.max(frame.x(spans.start[i]), frame.left - 2);
        const x1 = Math.min(frame.x(spans.end[i]), frame.left + frame.width + 2);
        if (x1 - x0 < 1 && x1 < edge[depth]) {
            continue;
        }
        const width = Math.max(1, x1 - x0 > GAP_MIN ? x1 - x0 - 1 : x1 - x0);
        edge[depth] = x0 + width;
        const top = y + spanTop(depth);
        context.globalAlpha = frame.dimmed && !frame.dimmed('span', i) ? 0.18 : 1;
        context.fillStyle = groupColour(spans.name[i] + 3);
        context.fillRect(x0, top, width, spanHeight());
        if (width > TEXT_MIN) {
            text(frame, trace.names[spans.name[i]], x0, x0 + width, top, spanHeight(), colours.onGroup);
        }
    }
    context.globalAlpha = 1;
}

/** The mixture of a group's tasks over time, as stacked areas; the height is the most tasks there were at once. */
export function drawGroup(frame, bins, y, height) {
    const { context, trace } = frame;
    const { count } = trace.meta.bins;
    const width = trace.duration / count;
    const perPixel = Math.max(1, Math.floor(frame.pixel / width));
    const first = Math.max(0, Math.floor(frame.from / width / perPixel) * perPixel);
    const tall = height - 8;
    const base = y + height - 4;
    for (let bin = first; bin < count && bin * width < frame.to; bin += perPixel) {
        const until = Math.min(count, bin + perPixel);
        const x0 = frame.snap(Math.max(frame.x(bin * width), frame.left));
        const x1 = frame.snap(Math.min(frame.x(until * width), frame.left + frame.width));
        if (x1 <= x0) {
            continue;
        }
        let at = base;
        for (let s = 0; s < trace.states.length; s++) {
            let sum = 0;
            for (let i = bin; i < until; i++) {
                sum += bins.times[s][bins.from + i];
            }
            if (sum) {
                const part = (tall * sum) / (bins.most * (until - bin));
                at -= part;
                context.fillStyle = frame.stateColours[s];
                context.fillRect(x0, at, x1 - x0, part);
            }
        }
    }
}

/** A counter as steps with an area below. */
export function drawCounter(frame, counter, y, height) {
    const { context, colours } = frame;
    const { time, value } = counter;
    const low = Math.min(0, counter.min);
    const range = Math.max(counter.max - low, 1e-9);
    const base = y + height - 4;
    const yOf = (v) => base - ((v - low) / range) * (height - 8);
    let i = 0;
    for (let high = time.length; i < high;) { // the last sample before the view
        const middle = (i + high) >>> 1;
        if (time[middle] <= frame.from) {
            i = middle + 1;
        } else {
            high = middle;
        }
    }
    i = Math.max(0, i - 1);
    const path = new Path2D();
    let begun = false;
    let firstX = 0;
    let x = 0;
    for (; i < time.length && time[i] < frame.to; i++) {
        x = Math.max(frame.left, frame.x(time[i]));
        if (!begun) {
            path.moveTo(firstX = x, yOf(value[i]));
            begun = true;
        } else {
            path.lineTo(x, yOf(value[i - 1]));
            path.lineTo(x, yOf(value[i]));
        }
    }
    if (!begun) {
        return;
    }
    x = Math.min(frame.left + frame.width, frame.x(frame.trace.duration));
    path.lineTo(x, yOf(value[i - 1]));
    const area = new Path2D(path);
    area.lineTo(x, base);
    area.lineTo(firstX, base);
    area.closePath();
    context.fillStyle = context.strokeStyle = colours.accent;
    context.globalAlpha = 0.16;
    context.fill(area);
    context.globalAlpha = 1;
    context.lineWidth = 1.25;
    context.stroke(path);
}

/** The text in the gutter of a counter: its greatest value. */
export function counterRangeText(counter) {
    return counter.time.length ? `≤ ${amount(Math.round(counter.max * 100) / 100, counter.unit)}` : 'no value';
}

/** Half the width of the mark of an instant, in px. */
export const MARK = 4;

/** The small marks of instants on a row. */
export function drawInstants(frame, list, instants, y, height) {
    const { context, colours } = frame;
    let edge = -Infinity;
    context.fillStyle = colours.text;
    for (const i of list) {
        const time = instants.time[i];
        if (time < frame.from || time > frame.to) {
            continue;
        }
        const x = frame.x(time);
        if (x < edge) {
            continue;
        }
        edge = x + 3;
        context.beginPath();
        context.moveTo(x, y + height - 1);
        context.lineTo(x - MARK, y + height + 4);
        context.lineTo(x + MARK, y + height + 4);
        context.fill();
    }
}
