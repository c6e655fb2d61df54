// The tables below the timeline: one tab each, drawn when it is shown.
import { counterCharts } from './charts.js';
import { amount, count, duration, exact, percent } from './format.js';
import { describe, extent, taskOf } from './describe.js';
import { MIXED } from './levels.js';
import { FIRST_WAIT, RUNNABLE, RUNNING } from './model.js';
import { pathShares } from './path.js';
import { busyWorkers, counterRange, spansByName, timeByGroup, timeOfTask, totals } from './stats.js';
import { bar, make, swatch, table } from './table.js';
import { groupColour, stateColour } from './theme.js';

const LONGEST = 100;

function rangeOf(app) {
    return app.range ?? [0, app.trace.duration];
}

function rangeText(app) {
    return app.range ? `${exact(app.range[0])} to ${exact(app.range[1])} (${duration(app.range[1] - app.range[0])})` : 'the whole recording';
}

function note(...children) {
    return make('p', { class: 'faint' }, ...children);
}

function parts(trace, times, whole) {
    return trace.states.map((state, s) => ({
        colour: stateColour(state), share: whole > 0 ? times[s] / whole : 0, title: `${state.label} ${duration(times[s])}`,
    }));
}

/** Running, runnable and each cause of waiting: over all tasks, then by group. */
function timeTab(app) {
    const { trace } = app;
    const [from, to] = rangeOf(app);
    const { rows, exact: isExact } = timeByGroup(trace, from, to);
    const sum = totals(rows, trace.states.length);
    const whole = sum.reduce((a, b) => a + b, 0);
    const states = trace.states.map((state, s) => ({ state, s, time: sum[s] })).filter(({ time }) => time > 0);
    const all = table('Time of all tasks by state', [
        { title: 'State', show: ({ state }) => make('span', {}, swatch(stateColour(state)), state.label), key: ({ state }) => state.label },
        { title: 'Time', number: true, show: ({ time }) => duration(time), key: ({ time }) => time },
        { title: 'Share', number: true, show: ({ time }) => percent(time, whole), key: ({ time }) => time },
    ], states, { state: app.panels.sorted('time', { by: 1 }), redraw: () => app.panels.draw() });
    const most = Math.max(...rows.map((row) => row.total), 1);
    const byGroup = table('Time by function of the task', [
        { title: 'Tasks of', show: ({ group }) => make('span', {}, swatch(groupColour(group)), trace.groupName(group)), key: ({ group }) => trace.groupName(group) },
        { title: 'Tasks', number: true, show: ({ group }) => count(trace.groups.tasks[group]), key: ({ group }) => trace.groups.tasks[group] },
        { title: 'Running', number: true, show: ({ times }) => duration(times[RUNNING]), key: ({ times }) => times[RUNNING] },
        { title: 'Runnable', number: true, show: ({ times }) => duration(times[RUNNABLE]), key: ({ times }) => times[RUNNABLE] },
        { title: 'Waiting', number: true, show: (row) => duration(row.total - row.times[RUNNING] - row.times[RUNNABLE]),
            key: (row) => row.total - row.times[RUNNING] - row.times[RUNNABLE] },
        { title: 'Together', wide: true, show: (row) => bar(parts(trace, row.times, most)), key: (row) => row.total },
    ], rows.filter((row) => row.total > 0), { go: ({ group }) => app.goGroup(group), state: app.panels.sorted('groups', { by: 5 }),
        redraw: () => app.panels.draw() });
    return make('div', { class: 'columns' },
        make('div', { class: 'narrow' }, note(`Time of all tasks, ${rangeText(app)}${isExact ? '' : ' (to the nearest bin)'}`), all),
        make('div', { class: 'grow' }, note('By function'), byGroup));
}

/** What is selected: a stretch of time, or a cell, span, request. */
function selectionTab(app) {
    const { trace } = app;
    const columns = make('div', { class: 'columns' });
    if (app.selected) {
        const { title, colour, facts } = describe(app, app.selected);
        const list = make('dl', { class: 'facts-list' });
        for (const [name, text, target] of facts) {
            list.append(make('dt', {}, name), make('dd', {}, target
                ? make('button', { class: 'link', onclick: () => app.goTask(target.task, target.time) }, text) : text));
        }
        const actions = make('p', { class: 'actions' });
        const task = taskOf(trace, app.selected);
        if (extent(trace, app.selected)) {
            actions.append(make('button', { onclick: () => app.viewport.frame(...extent(trace, app.selected)) }, 'Zoom to it'));
        }
        if (task >= 0) {
            actions.append(
                make('button', { onclick: () => app.otherView() }, app.selected.type === 'worker' ? 'Show the task' : 'Show the worker'),
                make('button', { onclick: () => app.showPath(task) }, 'Critical path'));
        }
        columns.append(make('div', { class: 'narrow card' }, make('h3', {}, swatch(colour), title), list, actions));
        if (task >= 0) {
            const span = [trace.tasks.start[task], trace.tasks.end[task]];
            columns.append(taskFigures(app, task, span));
        }
    }
    if (app.range) {
        columns.append(rangeFigures(app));
    }
    if (!columns.children.length) {
        columns.append(note('Click a cell to see what it is, or drag over the timeline to select a stretch of time.'));
    }
    return columns;
}

function taskFigures(app, task, [from, to]) {
    const { trace } = app;
    const times = timeOfTask(trace, task, from, to);
    const whole = Math.max(to - from, 1);
    const rows = trace.states.map((state, s) => ({ state, time: times[s] })).filter(({ time }) => time > 0).sort((a, b) => b.time - a.time);
    return make('div', { class: 'narrow' }, note(`${trace.taskName(task)}, all its life (${duration(to - from)})`),
        table('Time of the task by state', [
            { title: 'State', show: ({ state }) => make('span', {}, swatch(stateColour(state)), state.label) },
            { title: 'Time', number: true, show: ({ time }) => duration(time) },
            { title: 'Share', number: true, show: ({ time }) => percent(time, whole) },
        ], rows), bar(parts(trace, times, whole)));
}

function rangeFigures(app) {
    const { trace } = app;
    const [from, to] = app.range;
    const { rows, exact: isExact } = timeByGroup(trace, from, to);
    const sum = totals(rows, trace.states.length);
    const whole = sum.reduce((a, b) => a + b, 0);
    const states = trace.states.map((state, s) => ({ state, time: sum[s] })).filter(({ time }) => time > 0).sort((a, b) => b.time - a.time);
    const element = make('div', { class: 'grow columns', id: 'range-figures' },
        make('div', { class: 'narrow' }, note(`Selected: ${rangeText(app)}${isExact ? '' : ', to the nearest bin'}`),
            table('Time in the selected stretch by state', [
                { title: 'State', show: ({ state }) => make('span', {}, swatch(stateColour(state)), state.label) },
                { title: 'Time', number: true, show: ({ time }) => duration(time) },
                { title: 'Share', number: true, show: ({ time }) => percent(time, whole) },
            ], states)),
        make('div', { class: 'narrow' }, note('Workers'),
            table('Busy workers in the selected stretch', [
                { title: 'Worker', show: ({ worker }) => trace.workerName(worker) },
                { title: 'Busy', number: true, show: ({ busy }) => duration(busy) },
                { title: 'Share', number: true, show: ({ busy }) => percent(busy, to - from) },
            ], busyWorkers(trace, from, to), { most: 12 })));
    const spans = spansByName(trace, from, to);
    if (spans.length) {
        element.append(make('div', { class: 'narrow' }, note('Spans'), table('Spans in the selected stretch', [
            { title: 'Span', show: ({ name }) => trace.names[name] },
            { title: 'Count', number: true, show: (row) => count(row.count) },
            { title: 'Time', number: true, show: (row) => duration(row.total) },
        ], spans, { go: ({ longest }) => app.go({ type: 'span', index: longest }), most: 30 })));
    }
    if (trace.counters.length) {
        element.append(make('div', { class: 'narrow' }, note('Counters'), table('Counters in the selected stretch', [
            { title: 'Counter', show: ({ counter }) => counter.name },
            { title: 'Least', number: true, show: ({ r, counter }) => amount(r.min, counter.unit) },
            { title: 'Mean', number: true, show: ({ r, counter }) => amount(Math.round(r.mean * 100) / 100, counter.unit) },
            { title: 'Most', number: true, show: ({ r, counter }) => amount(r.max, counter.unit) },
        ], trace.counters.map((counter) => ({ counter, r: counterRange(trace, counter, from, to) })).filter(({ r }) => r))));
    }
    return element;
}

/** The longest stretches in which a task did not run, within the selected time. */
function longestWaits(app) {
    const { trace } = app;
    const [from, to] = rangeOf(app);
    const found = [];
    let least = 0;
    trace.taskLanes.forEach(({ finest: set }, task) => {
        if (trace.tasks.longest[task] <= least && found.length >= LONGEST) {
            return;
        }
        for (let i = 0; i < set.count; i++) {
            const length = set.end[i] - set.start[i];
            if (set.kind[i] === MIXED || set.kind[i] === RUNNING || length <= least || set.end[i] <= from || set.start[i] >= to ||
                (app.panels.cause !== '' && set.kind[i] !== Number(app.panels.cause))) {
                continue;
            }
            found.push({ task, set, i, length });
            if (found.length >= 4 * LONGEST) {
                found.sort((a, b) => b.length - a.length);
                found.length = LONGEST;
                least = found[LONGEST - 1].length;
            }
        }
    });
    return found.sort((a, b) => b.length - a.length).slice(0, LONGEST);
}

function waitsTab(app) {
    const { trace, panels } = app;
    const choice = make('select', { id: 'cause', 'aria-label': 'Cause' }, make('option', { value: '' }, 'every cause'));
    trace.states.forEach((state, s) => {
        if (s !== RUNNING) {
            choice.append(make('option', { value: s, selected: panels.cause === String(s) ? '' : false }, state.label));
        }
    });
    choice.addEventListener('change', () => { panels.cause = choice.value; panels.draw(); });
    return make('div', {}, note('Longest waits for ', choice, `, ${rangeText(app)}`), table('Longest waits', [
        { title: 'Task', show: ({ task }) => trace.taskName(task), key: ({ task }) => trace.taskName(task) },
        { title: 'Waited for', show: ({ set, i }) => make('span', {}, swatch(stateColour(trace.states[set.kind[i]])),
            set.kind[i] >= FIRST_WAIT && set.ref[i] ? trace.objectName(set.ref[i] - 1) : trace.states[set.kind[i]].label),
        key: ({ set, i }) => trace.states[set.kind[i]].label },
        { title: 'Held by', show: ({ set, i }) => (set.kind[i] >= FIRST_WAIT && set.hold[i] ? trace.taskName(set.hold[i] - 1) : '') },
        { title: 'Woken by', show: ({ set, i }) => (set.kind[i] >= FIRST_WAIT ? trace.wakerName(set.by[i]) ?? '' : '') },
        { title: 'From', number: true, show: ({ set, i }) => exact(set.start[i]), key: ({ set, i }) => set.start[i] },
        { title: 'Length', number: true, show: ({ length }) => duration(length), key: ({ length }) => length },
    ], longestWaits(app), { go: ({ task, i }) => app.goCell(task, i), state: panels.sorted('waits', { by: 5 }), redraw: () => panels.draw() }));
}

function objectsTab(app) {
    const { trace, panels } = app;
    const { objects } = trace;
    const rows = Array.from({ length: objects.rows }, (_, i) => i);
    return make('div', {}, note('What tasks waited for, over the whole recording'), table('What was waited for', [
        { title: 'Waited for', show: (i) => make('span', {}, swatch(stateColour(trace.states[objects.kind[i]])), trace.objectName(i)), key: (i) => trace.objectName(i) },
        { title: 'Cause', show: (i) => trace.states[objects.kind[i]].label, key: (i) => trace.states[objects.kind[i]].label },
        { title: 'Waits', number: true, show: (i) => count(objects.count[i]), key: (i) => objects.count[i] },
        { title: 'Together', number: true, show: (i) => duration(objects.total[i]), key: (i) => objects.total[i] },
        { title: 'Mean', number: true, show: (i) => duration(objects.total[i] / objects.count[i]), key: (i) => objects.total[i] / objects.count[i] },
        { title: 'Longest', number: true, show: (i) => duration(objects.longest[i]), key: (i) => objects.longest[i] },
    ], rows, { go: (i) => app.searchFor(trace.objectName(i)), state: panels.sorted('objects', { by: 3 }), redraw: () => panels.draw() }));
}

function requestsTab(app) {
    const { trace, panels } = app;
    const { requests } = trace;
    const [from, to] = rangeOf(app);
    const rows = Array.from({ length: requests.rows }, (_, i) => i).filter((i) => requests.start[i] < to && requests.start[i] + requests.dur[i] > from);
    const most = rows.reduce((m, i) => Math.max(m, requests.dur[i]), 1);
    return make('div', {}, note(`HTTP requests, ${rangeText(app)}`), table('HTTP requests', [
        { title: 'Request', show: (i) => trace.names[requests.name[i]], key: (i) => trace.names[requests.name[i]] },
        { title: 'Status', number: true, show: (i) => requests.status[i], key: (i) => requests.status[i] },
        { title: 'From', number: true, show: (i) => exact(requests.start[i]), key: (i) => requests.start[i] },
        { title: 'Length', number: true, show: (i) => duration(requests.dur[i]), key: (i) => requests.dur[i] },
        { title: 'Phases', wide: true, show: (i) => bar(trace.phasesOf(i).map(({ name, phase, start, end }) => ({
            colour: groupColour(phase + 5), share: (end - start) / most, title: `${name} ${duration(end - start)}` }))) },
    ], rows, { go: (i) => app.go({ type: 'request', index: i }), state: panels.sorted('requests', { by: 3 }), redraw: () => panels.draw() }));
}

function tasksTab(app) {
    const { trace, panels } = app;
    const { tasks } = trace;
    const [from, to] = rangeOf(app);
    const rows = Array.from({ length: tasks.rows }, (_, t) => t).filter((t) => tasks.start[t] < to && tasks.end[t] > from &&
        (!app.found || app.found.names.has(tasks.name[t]) || tasks.id[t] === app.found.number));
    const folded = trace.folded ? ` ${count(trace.folded)} further tasks are only in the rows of their groups.` : '';
    const column = (title, of) => ({ title, number: true, show: (t) => duration(of(t)), key: of });
    return make('div', {}, note(`Tasks alive in ${rangeText(app)}${app.found ? ' that match the search' : ''}.${folded}`), table('Tasks', [
        { title: 'Task', show: (t) => make('span', {}, swatch(groupColour(tasks.group[t])), trace.taskName(t)), key: (t) => trace.taskName(t) },
        { title: 'Spawned by', show: (t) => (tasks.parent[t] ? trace.taskName(tasks.parent[t] - 1) : '') },
        { title: 'From', number: true, show: (t) => exact(tasks.start[t]), key: (t) => tasks.start[t] },
        column('Life', (t) => tasks.end[t] - tasks.start[t]),
        column('Running', (t) => tasks.running[t]),
        column('Runnable', (t) => tasks.runnable[t]),
        column('Waiting', (t) => tasks.waiting[t]),
        column('Longest wait', (t) => tasks.longest[t]),
    ], rows, { go: (t) => app.goTask(t), state: panels.sorted('tasks', { by: 3 }), redraw: () => panels.draw() }));
}

function pathTab(app) {
    const { trace, path } = app;
    if (!path) {
        return note('Select a task, then press P or the button “Critical path”: what its end waited for, back to the beginning.');
    }
    const shares = pathShares(trace, path.steps);
    const whole = path.steps.reduce((sum, step) => sum + step.end - step.start, 0);
    const label = (kind) => make('span', {}, swatch(kind === MIXED ? 'var(--text-faint)' : stateColour(trace.states[kind])), trace.stateLabel(kind));
    return make('div', { class: 'columns' },
        make('div', { class: 'narrow' }, note(`Path to the end of ${trace.taskName(path.task)}: ${duration(whole)}, ${count(path.steps.length)} steps`),
            table('Shares of the critical path', [
                { title: 'Tasks of', show: ({ group }) => trace.groupName(group) },
                { title: 'State', show: ({ kind }) => label(kind) },
                { title: 'Time', number: true, show: ({ time }) => duration(time) },
                { title: 'Share', number: true, show: ({ time }) => percent(time, whole) },
            ], shares, { most: 60 })),
        make('div', { class: 'grow' }, note('Step by step'), table('Steps of the critical path', [
            { title: 'From', number: true, show: (step) => exact(step.start) },
            { title: 'Task', show: (step) => trace.taskName(step.task) },
            { title: 'State', show: (step) => label(step.kind) },
            { title: 'For', show: (step) => (step.kind >= FIRST_WAIT && step.kind !== MIXED && step.ref ? trace.objectName(step.ref - 1) : '') },
            { title: 'Length', number: true, show: (step) => duration(step.end - step.start) },
        ], path.steps, { go: (step) => app.goTask(step.task, (step.start + step.end) / 2), most: 500 })));
}

const TABS = [
    { id: 'time', title: 'Where time went', draw: timeTab },
    { id: 'selection', title: 'Selection', draw: selectionTab },
    { id: 'waits', title: 'Longest waits', draw: waitsTab },
    { id: 'objects', title: 'Waited for', draw: objectsTab, when: (trace) => trace.objects.rows > 0 },
    { id: 'requests', title: 'Requests', draw: requestsTab, when: (trace) => trace.requests.rows > 0 },
    { id: 'tasks', title: 'Tasks', draw: tasksTab },
    { id: 'path', title: 'Critical path', draw: pathTab },
    { id: 'counters', title: 'Counters', draw: counterCharts, when: (trace) => trace.counters.length > 0 },
];

export class Panels {
    constructor(app) {
        this.app = app;
        this.tabs = TABS.filter((tab) => !tab.when || tab.when(app.trace));
        this.current = this.tabs[0];
        this.cause = '';
        this.sorts = new Map();
        this.buttons = new Map();
        const list = app.elements.tabs;
        for (const tab of this.tabs) {
            const button = make('button', { role: 'tab', id: `tab-${tab.id}`, 'aria-controls': 'tab-body', onclick: () => this.show(tab.id) }, tab.title);
            this.buttons.set(tab, button);
            list.append(button);
        }
        list.addEventListener('keydown', (event) => {
            const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
            if (by) {
                this.step(by);
                this.buttons.get(this.current).focus();
                event.preventDefault();
                event.stopPropagation();
            }
        });
    }

    sorted(id, first) {
        if (!this.sorts.has(id)) {
            this.sorts.set(id, { ...first });
        }
        return this.sorts.get(id);
    }

    step(by) {
        const at = this.tabs.indexOf(this.current);
        this.show(this.tabs[(at + by + this.tabs.length) % this.tabs.length].id);
    }

    show(id) {
        this.current = this.tabs.find((tab) => tab.id === id) ?? this.current;
        this.app.elements['tab-body'].scrollTop = 0;
        this.draw();
    }

    draw() {
        for (const [tab, button] of this.buttons) {
            const chosen = tab === this.current;
            button.setAttribute('aria-selected', chosen);
            button.tabIndex = chosen ? 0 : -1;
        }
        const body = this.app.elements['tab-body'];
        body.setAttribute('aria-labelledby', `tab-${this.current.id}`);
        this.drop?.();
        this.drop = null;
        body.replaceChildren(this.current.draw(this.app));
        body.dispatchEvent(new Event('shown'));
    }
}
