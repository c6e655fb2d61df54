// The page: reads the block, holds what is selected, and lets the parts act on it.
import { readBlock } from './block.js';
import { count, duration } from './format.js';
import { describe, extent, spoken, taskOf } from './describe.js';
import { firstEndingAfter } from './levels.js';
import { listen } from './input.js';
import { Trace } from './model.js';
import { Overview } from './overview.js';
import { Panels } from './panels.js';
import { criticalPath } from './path.js';
import { GROUP_ROW, Rows, TASK_ROW, WORKER_ROW } from './rows.js';
import { dimmer, search } from './search.js';
import { busyWorkers } from './stats.js';
import { RULER, Timeline } from './timeline.js';
import { watchTheme } from './theme.js';
import { Viewport } from './viewport.js';
import { Wakes } from './wakes.js';
import { make, swatch } from './table.js';

const ELEMENTS = ['program', 'facts', 'notice', 'quiet', 'view-workers', 'view-tasks', 'view-path', 'search', 'hits', 'hit-back', 'hit-next',
    'theme', 'help-open', 'help', 'overview', 'lanes', 'scroll', 'scroll-size', 'tip', 'spoken', 'splitter', 'panel', 'tabs',
    'tab-body', 'zoom-in', 'zoom-out', 'zoom-fit'];

class App {
    constructor(block) {
        this.elements = Object.fromEntries(ELEMENTS.map((id) => [id, document.getElementById(id)]));
        this.trace = new Trace(block);
        this.wakes = new Wakes(this.trace);
        this.rows = new Rows(this.trace);
        this.view = 'workers';
        this.selected = null;
        this.hovered = null;
        this.range = null;
        this.cursor = null;
        this.found = null;
        this.dimmed = null;
        this.hit = -1;
        this.path = null;
        this.arrows = [];
        this.pending = false;
        const whole = busyWorkers(this.trace, 0, this.trace.duration);
        this.busyShare = (worker) => whole[worker].busy / this.trace.duration;
        this.viewport = new Viewport(this.trace.duration, () => this.redraw());
        this.timeline = new Timeline(this.elements.lanes, this);
        this.overview = new Overview(this.elements.overview, this);
        this.#describeRun();
        this.rows.lay(this.view, []);
        this.panels = new Panels(this);
        this.panels.draw();
        watchTheme(() => this.themed());
        listen(this);
        this.resized();
    }

    #describeRun() {
        const { meta } = this.trace;
        const { elements } = this;
        const facts = [
            duration(this.trace.duration), `${count(meta.events)} events`,
            `${count(this.trace.allTasks)} ${this.trace.allTasks === 1 ? 'task' : 'tasks'}`,
            `${this.trace.workers.rows} ${this.trace.workers.rows === 1 ? 'lane' : 'lanes of workers and threads'}`,
            meta.processes > 1 ? `${meta.processes} processes` : null, meta.started ? meta.started : null,
        ];
        elements.program.textContent = meta.program;
        elements.program.title = meta.command ?? meta.program;
        elements.facts.textContent = facts.filter(Boolean).join(' · ');
        const problems = [];
        if (meta.dropped) {
            problems.push(`${count(meta.dropped)} events were dropped while recording: what they said is missing here.`);
        }
        problems.push(...(meta.notes ?? []));
        elements.notice.hidden = problems.length === 0;
        elements.notice.textContent = problems.join(' ');
        elements.quiet.textContent = this.#mergedText();
        elements.quiet.hidden = !elements.quiet.textContent;
    }

    // What the page does not show in full, being smaller than the recording.
    #mergedText() {
        const { merged } = this.trace.meta;
        const folded = this.trace.folded;
        const parts = [];
        if (merged?.tasks_ns || merged?.lanes_ns) {
            parts.push(`Where much happens, neighbours shorter than ${duration(merged.tasks_ns || 1, 2)} (tasks) and ${duration(merged.lanes_ns || 1, 2)} (workers) are one cell; sums are exact. The green line at the foot of the strip marks where nothing is merged.`);
        }
        if (folded) {
            parts.push(`${count(folded)} shorter-lived tasks are in the rows of their functions only.`);
        }
        return parts.join(' ');
    }

    /** Draws with the next frame. */
    redraw() {
        if (this.pending) {
            return;
        }
        this.pending = true;
        requestAnimationFrame((now) => {
            this.pending = false;
            const moving = this.viewport.step(now);
            this.timeline.draw();
            this.overview.draw();
            if (moving) {
                this.redraw();
            }
        });
    }

    resized() {
        this.elements['scroll-size'].style.height = `${this.rows.height + RULER}px`;
        this.scrolled();
    }

    /** After the timeline was scrolled by other means than its bar. */
    scrolled() {
        const { scroll } = this.elements;
        this.timeline.scrollTo(this.timeline.scroll);
        if (Math.abs(scroll.scrollTop - this.timeline.scroll) > 1) {
            scroll.scrollTop = this.timeline.scroll;
        }
        this.redraw();
    }

    themed() {
        this.overview.forget();
        this.panels.draw();
        this.redraw();
    }

    relay() {
        this.rows.lay(this.view, this.path ? this.path.tasks : []);
        this.resized();
    }

    /** Shows the lanes of workers, of tasks, or of the critical path. */
    show(view) {
        if (view === 'path' && !this.path) {
            return;
        }
        this.view = view;
        for (const name of ['workers', 'tasks', 'path']) {
            this.elements[`view-${name}`].setAttribute('aria-pressed', name === view);
        }
        this.timeline.scrollTo(0);
        this.hovered = null;
        this.elements.tip.hidden = true;
        this.relay();
    }

    rowOf(picked) {
        switch (picked?.type) {
        case 'worker': return this.rows.find(WORKER_ROW, picked.index);
        case 'group': return this.rows.find(GROUP_ROW, picked.index);
        case 'task':
        case 'span':
        case 'request': return this.rows.find(TASK_ROW, taskOf(this.trace, picked));
        default: return null;
        }
    }

    // The arrows of something picked: who woke it, and whom it woke.
    #arrowsOf(picked) {
        const { trace, wakes } = this;
        const task = taskOf(trace, picked);
        if (task < 0 || !['task', 'worker'].includes(picked.type)) {
            return [];
        }
        const [from, to] = extent(trace, picked);
        const { set, i } = picked;
        const waits = picked.type === 'task' && set.kind[i] > 1;
        const before = set.kind[i] === 255 ? null : waits ? wakes.of(task, i) : wakes.before(task, from);
        const runs = set.kind[i] === 0 || set.kind[i] === 255;
        const after = runs && to - from < trace.duration / 2 ? wakes.after(task, from, to) : [];
        const arrows = [...(before ? [before] : []), ...after];
        for (const arrow of arrows) {
            arrow.until = this.view === 'workers' ? this.#nextRun(arrow.to, arrow.time) : arrow.time;
        }
        const { flows } = trace;
        for (let f = 0; f < flows.rows; f++) {
            if ((flows.from[f] - 1 === task && flows.start[f] >= from && flows.start[f] <= to) ||
                (flows.to[f] - 1 === task && flows.end[f] >= from && flows.end[f] <= to)) {
                arrows.push({ from: flows.from[f] - 1, to: flows.to[f] - 1, time: flows.start[f], until: flows.end[f], own: true });
            }
        }
        return arrows;
    }

    #nextRun(task, time) {
        const set = this.trace.taskLanes[task].finest;
        for (let i = firstEndingAfter(set, time); i < set.count && set.start[i] < time + 1e9; i++) {
            if (set.kind[i] === 0) {
                return Math.max(time, set.start[i]);
            }
        }
        return time;
    }

    hover(picked, time, x = 0, y = 0) {
        const { tip } = this.elements;
        this.cursor = time;
        this.hovered = picked && picked.type !== 'name' ? picked : null;
        this.arrows = this.hovered ? this.#arrowsOf(this.hovered) : this.selected ? this.#arrowsOf(this.selected) : [];
        tip.hidden = !this.hovered;
        if (this.hovered) {
            this.#fillTip(this.hovered);
            const { offsetWidth, offsetHeight } = tip;
            tip.style.left = `${Math.max(8, Math.min(x + 16, window.innerWidth - offsetWidth - 8))}px`;
            tip.style.top = `${y + 18 + offsetHeight > window.innerHeight ? y - offsetHeight - 12 : y + 18}px`;
        }
        this.redraw();
    }

    #fillTip(picked) {
        const { title, colour, facts } = describe(this, picked);
        const list = make('dl');
        for (const [name, text] of facts) {
            list.append(make('dt', {}, name), make('dd', {}, text));
        }
        this.elements.tip.replaceChildren(make('p', { class: 'tip-title' }, swatch(colour), title), list);
    }

    /** Selects a cell, span, request or group; null selects nothing. */
    select(picked) {
        this.selected = picked && picked.type !== 'counter' ? picked : null;
        this.range = null;
        this.arrows = this.selected ? this.#arrowsOf(this.selected) : [];
        if (this.selected) {
            this.elements.spoken.textContent = spoken(this, this.selected);
            if (['time', 'counters', 'selection'].includes(this.panels.current.id)) {
                this.panels.show('selection');
            }
        } else {
            this.panels.draw();
        }
        this.redraw();
    }

    /** Selects a stretch of time; while it is being drawn (`moving`) the tables follow at the pace of the frames. */
    selectRange(from, to, moving) {
        const [a, b] = [Math.max(0, Math.min(from, to)), Math.min(this.trace.duration, Math.max(from, to))];
        this.range = b > a ? [a, b] : null;
        this.selected = null;
        this.arrows = [];
        if (this.panels.current.id === 'path' || (this.panels.current.id === 'time' && !moving)) {
            this.panels.show('selection');
        }
        clearTimeout(this.later);
        this.later = setTimeout(() => this.panels.draw(), moving ? 60 : 0);
        this.redraw();
    }

    clear() {
        if (this.elements.search.value) {
            this.elements.search.value = '';
            this.search('');
        }
        this.range = null;
        this.select(null);
    }

    clickName(row) {
        this.rows.toggle(row);
        this.relay();
    }

    /** Goes to something with a row in the view of tasks, and selects it. */
    go(picked) {
        const task = taskOf(this.trace, picked);
        if (task < 0) {
            return;
        }
        if (this.view === 'workers' || !this.rowOf(picked)) {
            this.rows.openFor(task);
            this.show('tasks');
        }
        this.select(picked);
        this.panels.draw();
        const [from, to] = extent(this.trace, picked);
        this.viewport.frame(from, to, 0.6);
        const row = this.rowOf(picked);
        if (row) {
            this.timeline.reveal(row);
            this.scrolled();
        }
    }

    goCell(task, i) {
        this.go({ type: 'task', index: task, set: this.trace.taskLanes[task].finest, i });
    }

    /** Goes to a task, at a time or to its beginning. */
    goTask(task, time = this.trace.tasks.start[task]) {
        const set = this.trace.taskLanes[task].finest;
        if (set.count) {
            this.goCell(task, Math.min(set.count - 1, firstEndingAfter(set, time)));
        }
    }

    goGroup(group) {
        this.rows.closed.delete('Tasks by function');
        this.show('tasks');
        const row = this.rows.find(GROUP_ROW, group);
        this.timeline.scrollTo(this.rows.top[row.at] - 8);
        this.scrolled();
    }

    /** Shows the selected cell in the other view: a worker's slice among the tasks, a task's run on its worker. */
    otherView() {
        const { trace, selected } = this;
        const task = taskOf(trace, selected);
        if (task < 0) {
            return;
        }
        const [from, to] = extent(trace, selected);
        if (selected.type === 'worker') {
            const keep = [this.viewport.from, this.viewport.to];
            this.goTask(task, from);
            this.viewport.go(...keep, false);
            return;
        }
        const worker = this.wakes.workerAt(task, from) ?? this.wakes.workerAt(task, to);
        if (worker === null) {
            return;
        }
        this.show('workers');
        const set = trace.workerLanes[worker].finest;
        const i = Math.min(set.count - 1, firstEndingAfter(set, selected.set?.kind[selected.i] === 0 ? from : to));
        this.select({ type: 'worker', index: worker, set, i });
        this.timeline.reveal(this.rowOf(this.selected));
        this.scrolled();
    }

    toWaker() {
        const task = taskOf(this.trace, this.selected);
        if (task < 0) {
            return;
        }
        const waits = this.selected.type === 'task' && this.selected.set.kind[this.selected.i] > 1;
        const wake = waits ? this.wakes.of(task, this.selected.i) : this.wakes.before(task, extent(this.trace, this.selected)[0]);
        if (wake) {
            this.goTask(wake.from, wake.time - 1);
        }
    }

    showPath(task) {
        if (task < 0) {
            return;
        }
        const steps = criticalPath(this.trace, task, this.trace.tasks.end[task]);
        const tasks = [...new Set(steps.map((step) => step.task))];
        this.path = { task, steps, tasks };
        this.elements['view-path'].disabled = false;
        this.show('path');
        this.panels.show('path');
        if (steps.length) {
            this.viewport.frame(steps[0].start, steps[steps.length - 1].end, 0.02);
        }
    }

    search(query) {
        this.found = search(this.trace, query);
        this.dimmed = dimmer(this.trace, this.found);
        this.hit = -1;
        const { hits } = this.elements;
        hits.textContent = this.found ? `${count(this.found.total)} ${this.found.total === 1 ? 'match' : 'matches'}` : '';
        if (this.panels.current.id === 'tasks') {
            this.panels.draw();
        }
        this.redraw();
    }

    searchFor(text) {
        this.elements.search.value = text;
        this.search(text);
        this.nextHit(1);
    }

    nextHit(by) {
        if (!this.found?.list.length) {
            return;
        }
        const { list, total } = this.found;
        this.hit = (this.hit + by + list.length) % list.length;
        const { type, index, start } = list[this.hit];
        this.elements.hits.textContent = `${count(this.hit + 1)} of ${count(total)}`;
        if (type === 'span' || type === 'request') {
            this.go({ type, index });
        } else {
            this.goTask(index, start);
        }
    }
}

const begun = performance.now();

readBlock(document).then((block) => {
    const app = new App(block);
    // For tests: when the page could be used, and what it holds.
    globalThis.plaitPage = { app, readyMs: performance.now(), readingMs: performance.now() - begun };
    document.documentElement.dataset.ready = 'true';
}).catch((error) => {
    document.getElementById('facts').textContent = '';
    const notice = document.getElementById('notice');
    notice.hidden = false;
    notice.textContent = `This page cannot show its recording: ${error.message}. It needs a browser of 2023 or later.`;
    throw error;
});
