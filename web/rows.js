// The rows of the timeline: which lanes there are in a view, one below the other, and where each lies.
import { OFFLOAD, PROCESS, WORKER } from './model.js';

export const HEADING = 'heading';
export const COUNTER_ROW = 'counter';
export const WORKER_ROW = 'worker';
export const GROUP_ROW = 'group';
export const TASK_ROW = 'task';
export const MORE_ROW = 'more';

const HEIGHT = { heading: 24, counter: 28, worker: 30, group: 38, task: 22, more: 20 };
const SPAN_HEIGHT = 15;
const OPEN_AT_FIRST = 12; // tasks of a group that opens by itself

/** How deep the spans of a task's row are drawn. */
export const SPANS_DEEP = 6;

export function spanTop(depth) {
    return HEIGHT.task - 1 + depth * SPAN_HEIGHT;
}

export function spanHeight() {
    return SPAN_HEIGHT - 1;
}

const WORKER_KINDS = [
    [WORKER, 'Workers'], [OFFLOAD, 'Threads'], [PROCESS, 'Worker processes'],
];

export class Rows {
    constructor(trace) {
        this.trace = trace;
        this.closed = new Set();
        this.open = new Set();
        for (let group = 0; group < trace.groups.rows; group++) {
            if (trace.membersOf[group].length <= OPEN_AT_FIRST) {
                this.open.add(group);
            }
        }
        this.sort = 'start';
        this.list = [];
        this.top = new Float64Array(1);
    }

    #add(type, index, extra = 0) {
        this.list.push({ type, index, height: HEIGHT[type] + extra });
    }

    #section(name, fill) {
        this.list.push({ type: HEADING, index: -1, text: name, height: HEIGHT.heading });
        if (!this.closed.has(name)) {
            fill();
        }
    }

    #task(task) {
        this.#add(TASK_ROW, task, Math.min(SPANS_DEEP, this.trace.depthOf(task)) * SPAN_HEIGHT);
    }

    #order(members) {
        const { tasks } = this.trace;
        const key = { start: null, running: tasks.running, waiting: tasks.waiting, longest: tasks.longest }[this.sort];
        return key ? [...members].sort((a, b) => key[b] - key[a]) : members;
    }

    /** Lays the rows of a view; `path` holds the tasks of the critical path. */
    lay(view, path) {
        const { trace } = this;
        this.list = [];
        if (view !== 'path' && trace.counters.length) {
            this.#section('Counters', () => trace.counters.forEach((_, i) => this.#add(COUNTER_ROW, i)));
        }
        if (view === 'workers') {
            this.#layWorkers();
        } else if (view === 'path') {
            this.#section('Critical path', () => path.forEach((task) => this.#task(task)));
        } else {
            this.#layGroups();
        }
        this.top = new Float64Array(this.list.length + 1);
        this.list.forEach((row, i) => {
            row.at = i;
            this.top[i + 1] = this.top[i] + row.height;
        });
    }

    #layWorkers() {
        const { workers } = this.trace;
        for (const [kind, name] of WORKER_KINDS) {
            const members = [];
            for (let w = 0; w < workers.rows; w++) {
                if (workers.kind[w] === kind) {
                    members.push(w);
                }
            }
            if (members.length) {
                this.#section(name, () => members.forEach((w) => this.#add(WORKER_ROW, w)));
            }
        }
    }

    #layGroups() {
        const { trace } = this;
        this.#section('Tasks by function', () => {
            for (let group = 0; group < trace.groups.rows; group++) {
                this.#add(GROUP_ROW, group);
                if (!this.open.has(group)) {
                    continue;
                }
                for (const task of this.#order(trace.membersOf[group])) {
                    this.#task(task);
                }
                if (trace.groups.tasks[group] > trace.membersOf[group].length) {
                    this.#add(MORE_ROW, group);
                }
            }
        });
    }

    get height() {
        return this.top[this.list.length];
    }

    /** The index of the row at a height (the first or last one beyond the ends), -1 when there is none. */
    indexAt(y) {
        let low = 0;
        let high = this.list.length;
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (this.top[middle + 1] > y) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return Math.min(low, this.list.length - 1);
    }

    /** The row of a worker, task, ...; null when it is not laid out. */
    find(type, index) {
        return this.list.find((row) => row.type === type && row.index === index) ?? null;
    }

    /** Opens what is needed for a task to have a row. */
    openFor(task) {
        this.closed.delete('Tasks by function');
        this.open.add(this.trace.tasks.group[task]);
    }

    toggle(row) {
        if (row.type === HEADING) {
            if (!this.closed.delete(row.text)) {
                this.closed.add(row.text);
            }
        } else if (row.type === GROUP_ROW && !this.open.delete(row.index)) {
            this.open.add(row.index);
        }
    }
}
