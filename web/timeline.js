// The picture: ruler, rows with their names, selection, arrows.
import { Frame, counterRangeText, drawCounter, drawGroup, drawInstants, drawTask, drawWorker, fit } from './draw.js';
import { count, duration, moment, percent, roundStep } from './format.js';
import { extent } from './describe.js';
import { COUNTER_ROW, GROUP_ROW, HEADING, MORE_ROW, spanHeight, spanTop, TASK_ROW, WORKER_ROW } from './rows.js';
import { groupColour } from './theme.js';

export const RULER = 26;
export const FONT = '11px system-ui, -apple-system, "Segoe UI", sans-serif';
const NAME_FONT = '12px system-ui, -apple-system, "Segoe UI", sans-serif';
const STRONG_FONT = '600 11px system-ui, -apple-system, "Segoe UI", sans-serif';
const EDGE_RIGHT = 14; // px on the right that the scroll bar has
const NAME_ENOUGH = 96; // px of a name that are enough beside a figure

/** How wide the names of lanes are, of *width* px. */
export function gutterOf(width) {
    return Math.round(Math.min(208, Math.max(104, width * 0.29)));
}

/** How wide the lanes are beside their names. */
export function plotOf(width) {
    return Math.max(10, width - gutterOf(width) - EDGE_RIGHT);
}

export class Timeline {
    constructor(canvas, app) {
        this.canvas = canvas;
        this.app = app;
        this.context = canvas.getContext('2d', { alpha: false });
        this.scroll = 0;
        this.groupBins = new Map();
        this.instantsOf = null;
    }

    get width() {
        return this.canvas.clientWidth;
    }

    get height() {
        return this.canvas.clientHeight;
    }

    get gutter() {
        return gutterOf(this.width);
    }

    get plotWidth() {
        return plotOf(this.width);
    }

    timeAt(x) {
        const { viewport } = this.app;
        return viewport.from + ((x - this.gutter) / this.plotWidth) * viewport.span;
    }

    xOf(time) {
        const { viewport } = this.app;
        return this.gutter + ((time - viewport.from) / viewport.span) * this.plotWidth;
    }

    /** Scrolls, within what there is. */
    scrollTo(top) {
        const most = Math.max(0, this.app.rows.height - (this.height - RULER));
        this.scroll = Math.min(Math.max(0, top), most);
    }

    /** Scrolls as little as possible so that a row is seen. */
    reveal(row) {
        const top = this.app.rows.top[row.at];
        const room = this.height - RULER;
        if (top < this.scroll + 24) {
            this.scrollTo(top - 60);
        } else if (top + row.height > this.scroll + room) {
            this.scrollTo(top + row.height - room + 60);
        }
    }

    // The times of a group's bins, and the most tasks at once among them.
    #binsOf(group) {
        let bins = this.groupBins.get(group);
        if (!bins) {
            const { trace } = this.app;
            const { count: n, unit_ns: unit } = trace.meta.bins;
            const width = trace.duration / n / unit;
            const times = trace.states.map((_, s) => trace.bins[`s${s}`]);
            let most = 0;
            for (let i = group * n; i < (group + 1) * n; i++) {
                most = Math.max(most, times.reduce((sum, column) => sum + column[i], 0));
            }
            this.groupBins.set(group, bins = { from: group * n, times, most: Math.max(most, width * 1e-6), atOnce: most / width });
        }
        return bins;
    }

    /** Which instants lie in the lane of a task ('t') or worker ('w'); undefined: none. */
    instants(kind, index) {
        if (!this.instantsOf) {
            this.instantsOf = new Map();
            const { instants } = this.app.trace;
            for (let i = 0; i < instants.rows; i++) {
                const key = instants.task[i] ? `t${instants.task[i] - 1}` : `w${instants.lane[i] - 1}`;
                if (!this.instantsOf.has(key)) {
                    this.instantsOf.set(key, []);
                }
                this.instantsOf.get(key).push(i);
            }
        }
        return this.instantsOf.get(kind + index);
    }

    /** Draws everything. */
    draw() {
        const { canvas, context, app } = this;
        const ratio = window.devicePixelRatio || 1;
        const { width, height } = this;
        if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
            canvas.width = Math.round(width * ratio);
            canvas.height = Math.round(height * ratio);
        }
        this.scrollTo(this.scroll);
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.textBaseline = 'middle';
        context.font = FONT;
        const frame = new Frame(context, app.viewport, this.gutter, this.plotWidth, app.trace);
        frame.dimmed = app.dimmed;
        context.fillStyle = frame.colours.background;
        context.fillRect(0, 0, width, height);

        const ticks = this.#ticks();
        this.#drawGrid(frame, ticks);
        this.#drawRange(frame, false);
        const first = app.rows.indexAt(this.scroll);
        for (let i = first; i >= 0 && i < app.rows.list.length; i++) {
            const y = RULER + app.rows.top[i] - this.scroll;
            if (y > height) {
                break;
            }
            this.#drawRow(frame, app.rows.list[i], y);
        }
        if (app.path) {
            this.#drawPath(frame);
        }
        this.#drawArrows(frame);
        this.#drawMarked(frame, app.selected, frame.colours.select, 2);
        this.#drawMarked(frame, app.hovered, frame.colours.text, 1);
        this.#drawRange(frame, true);
        this.#drawRuler(frame, ticks);
    }

    #ticks() {
        const { viewport } = this.app;
        const step = roundStep(viewport.span, Math.max(2, this.plotWidth / 110));
        const ticks = [];
        for (let t = Math.ceil(Math.max(0, viewport.from) / step) * step; t <= viewport.to; t += step) {
            ticks.push(t);
        }
        return { step, ticks };
    }

    #drawGrid({ context, colours }, { ticks }) {
        context.fillStyle = colours.line;
        for (const t of ticks) {
            context.fillRect(Math.round(this.xOf(t)), RULER, 1, this.height);
        }
    }

    #drawRuler({ context, colours }, { step, ticks }) {
        context.fillStyle = colours.raised;
        context.fillRect(0, 0, this.width, RULER);
        context.fillStyle = colours.strong;
        context.fillRect(0, RULER - 1, this.width, 1);
        context.font = FONT;
        context.fillStyle = colours.faint;
        context.fillText(`${duration(this.app.viewport.span)} shown`, 12, RULER / 2);
        for (const t of ticks) {
            const x = Math.round(this.xOf(t));
            context.fillStyle = colours.strong;
            context.fillRect(x, RULER - 6, 1, 6);
            context.fillStyle = colours.faint;
            context.fillText(t === 0 ? '0' : moment(t, step), x + 4, RULER / 2 - 1);
        }
        const { cursor } = this.app;
        if (cursor !== null) {
            const x = this.xOf(cursor);
            const label = moment(cursor, this.app.viewport.span / this.plotWidth);
            const wide = context.measureText(label).width + 10;
            const left = Math.min(Math.max(this.gutter, x - wide / 2), this.width - wide - EDGE_RIGHT);
            context.fillStyle = colours.text;
            context.beginPath();
            context.roundRect(left, 4, wide, RULER - 9, 4);
            context.fill();
            context.fillStyle = colours.background;
            context.fillText(label, left + 5, RULER / 2 - 0.5);
        }
    }

    #drawRow(frame, row, y) {
        const { context, colours } = frame;
        const { trace } = this.app;
        context.save();
        context.beginPath();
        context.rect(this.gutter, Math.max(RULER, y), this.plotWidth, row.height);
        context.clip();
        context.font = FONT;
        switch (row.type) {
        case COUNTER_ROW: drawCounter(frame, trace.counters[row.index], y, row.height); break;
        case WORKER_ROW:
            drawWorker(frame, row.index, y, row.height);
            drawInstants(frame, this.instants('w', row.index) ?? [], trace.instants, y, row.height - 7);
            break;
        case GROUP_ROW: drawGroup(frame, this.#binsOf(row.index), y, row.height); break;
        case TASK_ROW:
            drawTask(frame, row.index, y);
            drawInstants(frame, this.instants('t', row.index) ?? [], trace.instants, y, spanTop(0) - 6);
            break;
        default: break;
        }
        context.restore();
        this.#drawName(frame, row, y);
        context.fillStyle = colours.line;
        context.fillRect(0, y + row.height - 1, this.width, 1);
    }

    #label(frame, label, x, y, colour, font, right = 0) {
        const { context } = frame;
        context.font = font;
        context.fillStyle = colour;
        context.fillText(fit(context, label, this.gutter - x - 10 - right), x, y);
    }

    #textAtRight(context, label, y, colour) {
        context.font = FONT;
        context.fillStyle = colour;
        context.textAlign = 'right';
        context.fillText(label, this.gutter - 12, y);
        context.textAlign = 'left';
    }

    // Where there is little room, the name is worth more than the figure.
    #nameAndFigure(frame, name, figure, y) {
        const { context, colours } = frame;
        context.font = FONT;
        const taken = context.measureText(figure).width + 8;
        context.font = NAME_FONT;
        const both = this.gutter - 34 - taken >= Math.min(NAME_ENOUGH, context.measureText(name).width);
        this.#label(frame, name, 24, y, colours.text, NAME_FONT, both ? taken : 0);
        if (both) {
            this.#textAtRight(context, figure, y, colours.faint);
        }
    }

    #drawName(frame, row, y) {
        const { context, colours } = frame;
        const { trace, rows } = this.app;
        context.fillStyle = row.type === HEADING ? colours.raised : colours.background;
        context.fillRect(0, y, row.type === HEADING ? this.width : this.gutter - 1, row.height);
        const middle = y + row.height / 2;
        const twist = (open, x) => {
            context.fillStyle = colours.faint;
            context.beginPath();
            if (open) {
                context.moveTo(x, middle - 2.5); context.lineTo(x + 8, middle - 2.5); context.lineTo(x + 4, middle + 3);
            } else {
                context.moveTo(x + 1, middle - 4); context.lineTo(x + 6.5, middle); context.lineTo(x + 1, middle + 4);
            }
            context.fill();
        };
        switch (row.type) {
        case HEADING:
            twist(!rows.closed.has(row.text), 10);
            this.#label(frame, row.text, 24, middle, colours.faint, STRONG_FONT);
            break;
        case COUNTER_ROW: {
            const counter = trace.counters[row.index];
            this.#nameAndFigure(frame, counter.name, counterRangeText(counter), middle);
            break;
        }
        case WORKER_ROW:
            this.#nameAndFigure(frame, trace.workerName(row.index), percent(this.app.busyShare(row.index), 1), middle);
            break;
        case GROUP_ROW: {
            if (trace.membersOf[row.index].length) {
                twist(rows.open.has(row.index), 10);
            }
            context.fillStyle = groupColour(row.index);
            context.beginPath();
            context.roundRect(24, y + 8, 4, row.height - 16, 2);
            context.fill();
            this.#label(frame, trace.groupName(row.index), 36, middle - 7, colours.text, NAME_FONT);
            const tasks = trace.groups.tasks[row.index];
            const most = this.#binsOf(row.index).atOnce;
            const peak = tasks > 1 ? `, ${count(Math.max(1, Math.ceil(most - 0.01)))} at once` : '';
            this.#label(frame, `${count(tasks)} ${tasks === 1 ? 'task' : 'tasks'}${peak}`, 36, middle + 8, colours.faint, FONT);
            break;
        }
        case TASK_ROW:
            this.#label(frame, trace.taskName(row.index), 36, y + 11, colours.text, FONT);
            break;
        case MORE_ROW: {
            const more = trace.groups.tasks[row.index] - trace.membersOf[row.index].length;
            context.font = FONT;
            context.fillStyle = colours.faint;
            context.fillText(fit(context, `and ${count(more)} more, in the group's row only`, this.width - 46), 36, middle);
            break;
        }
        default: break;
        }
        context.fillStyle = colours.strong;
        context.fillRect(this.gutter - 1, y, 1, row.height);
    }

    /** The rectangle in which something picked is drawn, or null when its row is not in the view. */
    rectOf(picked) {
        const { app } = this;
        const { trace, rows } = app;
        const span = picked && extent(trace, picked);
        if (!span) {
            return null;
        }
        const owner = { span: () => trace.spans.task[picked.index], request: () => trace.requests.task[picked.index] - 1 };
        const task = owner[picked.type]?.() ?? picked.index;
        const row = rows.find(picked.type === 'worker' ? WORKER_ROW : TASK_ROW, task);
        if (!row) {
            return null;
        }
        const y = RULER + rows.top[row.at] - this.scroll;
        const x0 = this.xOf(span[0]);
        const x1 = this.xOf(span[1]);
        if (picked.type === 'worker') {
            return { x0, x1, y: y + 4, height: row.height - 8 };
        }
        if (picked.type === 'task') {
            return { x0, x1, y: y + 3, height: spanTop(0) - 5 };
        }
        const depth = picked.type === 'span' ? trace.spans.depth[picked.index] : trace.spanDepth[task];
        return { x0, x1, y: y + spanTop(depth), height: spanHeight() };
    }

    #drawMarked({ context }, picked, colour, wide) {
        const rect = this.rectOf(picked);
        if (!rect || rect.y + rect.height < RULER) {
            return;
        }
        const x0 = Math.max(rect.x0, this.gutter - 4);
        const x1 = Math.min(rect.x1, this.gutter + this.plotWidth + 4);
        if (x1 < this.gutter || x0 > this.gutter + this.plotWidth) {
            return;
        }
        context.save();
        context.beginPath();
        context.rect(this.gutter, RULER, this.plotWidth, this.height);
        context.clip();
        context.strokeStyle = colour;
        context.lineWidth = wide;
        context.strokeRect(x0 - 0.5, rect.y - 0.5, Math.max(3, x1 - x0), rect.height + 1);
        context.restore();
    }

    #drawRange({ context, colours }, above) {
        const { range, cursor } = this.app;
        if (above && cursor !== null) {
            context.fillStyle = colours.strong;
            context.fillRect(Math.round(this.xOf(cursor)), RULER, 1, this.height);
        }
        if (!range) {
            return;
        }
        const x0 = Math.max(this.gutter, this.xOf(range[0]));
        const x1 = Math.min(this.gutter + this.plotWidth, this.xOf(range[1]));
        if (x1 < this.gutter || x0 > this.gutter + this.plotWidth) {
            return;
        }
        context.fillStyle = colours.accent;
        if (!above) {
            context.globalAlpha = 0.10;
            context.fillRect(x0, RULER, x1 - x0, this.height);
            context.globalAlpha = 1;
            return;
        }
        context.fillRect(x0, RULER, 1, this.height);
        context.fillRect(x1, RULER, 1, this.height);
        const label = duration(range[1] - range[0]);
        context.font = STRONG_FONT;
        const wide = context.measureText(label).width + 12;
        const x = Math.min(Math.max((x0 + x1) / 2 - wide / 2, this.gutter), this.gutter + this.plotWidth - wide);
        context.beginPath();
        context.roundRect(x, RULER + 3, wide, 18, 9);
        context.fill();
        context.fillStyle = colours.background;
        context.fillText(label, x + 6, RULER + 12.5);
    }

    // Where an arrow ends: the lane of a task, or the worker that it ran on at that time. Beyond the edge when not seen.
    #anchor(task, time) {
        const { app } = this;
        let row = null;
        if (app.view === 'workers') {
            const worker = app.wakes.workerAt(task, time);
            row = worker === null ? null : app.rows.find(WORKER_ROW, worker);
        } else {
            row = app.rows.find(TASK_ROW, task) ?? app.rows.find(GROUP_ROW, app.trace.tasks.group[task]);
        }
        return row && RULER + app.rows.top[row.at] - this.scroll + (row.type === TASK_ROW ? 11 : Math.min(row.height, 30) / 2);
    }

    #drawArrows({ context, colours }) {
        context.save();
        context.beginPath();
        context.rect(this.gutter, RULER, this.plotWidth, this.height);
        context.clip();
        for (const arrow of this.app.arrows) {
            const y0 = this.#anchor(arrow.from, arrow.time);
            const y1 = this.#anchor(arrow.to, arrow.until ?? arrow.time);
            if (y0 === null || y1 === null || Math.abs(y0 - y1) < 2) {
                continue;
            }
            const x0 = this.xOf(arrow.time);
            const x1 = this.xOf(arrow.until ?? arrow.time);
            const bend = Math.min(60, 16 + Math.abs(y1 - y0) / 5);
            context.strokeStyle = context.fillStyle = arrow.own ? colours.accent : colours.flow;
            context.lineWidth = 1.5;
            context.beginPath();
            context.moveTo(x0, y0);
            context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1 - 1, y1);
            context.stroke();
            context.beginPath();
            context.moveTo(x1 + 1, y1);
            context.lineTo(x1 - 7, y1 - 4);
            context.lineTo(x1 - 7, y1 + 4);
            context.fill();
            context.beginPath();
            context.arc(x0, y0, 2.5, 0, 7);
            context.fill();
        }
        context.restore();
    }

    // The critical path: its steps underlined, and a line from each to the next.
    #drawPath({ context, colours }) {
        context.save();
        context.beginPath();
        context.rect(this.gutter, RULER, this.plotWidth, this.height);
        context.clip();
        context.strokeStyle = context.fillStyle = colours.hit;
        context.lineWidth = 2;
        context.beginPath();
        let before = null;
        for (const step of this.app.path.steps) {
            const x0 = this.xOf(step.start);
            const x1 = this.xOf(step.end);
            if (x1 < this.gutter || x0 > this.gutter + this.plotWidth) {
                before = null;
                continue;
            }
            const y = this.#anchor(step.task, (step.start + step.end) / 2);
            if (y === null) {
                before = null;
                continue;
            }
            const under = y + 9;
            if (before !== null && before !== under) {
                context.moveTo(x0, before);
                context.lineTo(x0, under);
            }
            context.moveTo(x0, under);
            context.lineTo(Math.max(x1, x0 + 1), under);
            before = under;
        }
        context.stroke();
        context.restore();
    }
}
