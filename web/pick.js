// What lies at a point of the timeline.
import { MARK } from './draw.js';
import { cellAt } from './levels.js';
import { COUNTER_ROW, GROUP_ROW, SPANS_DEEP, spanHeight, spanTop, TASK_ROW, WORKER_ROW } from './rows.js';
import { RULER } from './timeline.js';

const NEAR = 3; // px beside a short cell that still mean it

// The mark of an instant lies at the foot of a row's cells.
function pickInstant(timeline, row, below, time) {
    const foot = { [WORKER_ROW]: row.height - 8, [TASK_ROW]: spanTop(0) - 7 }[row.type];
    if (foot === undefined || below < foot || below > foot + 6) {
        return null;
    }
    const { instants } = timeline.app.trace;
    const near = (MARK * timeline.app.viewport.span) / timeline.plotWidth;
    const found = (timeline.instants(row.type === WORKER_ROW ? 'w' : 't', row.index) ?? [])
        .find((i) => Math.abs(instants.time[i] - time) <= near);
    return found === undefined ? null : { type: 'instant', index: found };
}

function pickCell(timeline, type, index, pyramid, time) {
    const pixel = timeline.app.viewport.span / timeline.plotWidth;
    const set = pyramid.at(pixel * 1.5);
    for (const near of [0, pixel, -pixel, NEAR * pixel, -NEAR * pixel]) {
        const i = cellAt(set, time + near);
        if (i >= 0) {
            return { type, index, set, i };
        }
    }
    return null;
}

function pickSpan(timeline, task, depth, time) {
    const { trace, viewport } = timeline.app;
    const near = (NEAR * viewport.span) / timeline.plotWidth;
    if (depth >= SPANS_DEEP) {
        return null;
    }
    const { spans, requests } = trace;
    for (let i = trace.spanFrom[task]; i < trace.spanFrom[task + 1] && spans.start[i] <= time + near; i++) {
        if (spans.depth[i] === depth && spans.end[i] >= time - near) {
            return { type: 'span', index: i };
        }
    }
    for (const i of depth >= trace.spanDepth[task] ? trace.requestsOf.get(task) ?? [] : []) {
        if (requests.start[i] <= time + near && requests.start[i] + requests.dur[i] >= time - near) {
            return { type: 'request', index: i };
        }
    }
    return null;
}

/** What lies at a point: {type, index, set, i} of a cell, or a row's type with the time; null in the ruler. */
export function pickAt(timeline, x, y) {
    const { app } = timeline;
    const { trace, rows } = app;
    const at = y - RULER + timeline.scroll;
    if (y < RULER || at >= rows.height || !rows.list.length) {
        return null;
    }
    const row = rows.list[rows.indexAt(at)];
    const time = timeline.timeAt(x);
    if (x < timeline.gutter) {
        return { type: 'name', row };
    }
    const instant = pickInstant(timeline, row, at - rows.top[row.at], time);
    if (instant) {
        return instant;
    }
    if (row.type === WORKER_ROW) {
        return pickCell(timeline, 'worker', row.index, trace.workerLanes[row.index], time);
    }
    if (row.type === TASK_ROW) {
        const below = at - rows.top[row.at] - spanTop(0);
        return below < 0 ? pickCell(timeline, 'task', row.index, trace.taskLanes[row.index], time)
            : pickSpan(timeline, row.index, Math.floor(below / (spanHeight() + 1)), time);
    }
    if (row.type === GROUP_ROW || row.type === COUNTER_ROW) {
        return { type: row.type, index: row.index, time };
    }
    return null;
}
