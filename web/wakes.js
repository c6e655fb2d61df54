// Who woke whom: found from the cells, which hold the waker of each wait.
import { firstEndingAfter, lastStartingBefore } from './levels.js';
import { BY_TASK, FIRST_WAIT } from './model.js';

const AFTER_MAX = 40; // arrows from one cell

export class Wakes {
    #trace;
    #from = null;   // of each task: where its wake-ups begin in #at
    #at = null;     // [lane, cell] pairs as lane * 2^32 + cell

    constructor(trace) {
        this.#trace = trace;
    }

    /** The wake-up that led to the cell at `start` on a task: {from, to, time, cell} or null. */
    before(task, start) {
        const set = this.#trace.taskLanes[task].finest;
        for (let i = lastStartingBefore(set, start + 1); i >= 0; i--) {
            if (set.kind[i] >= FIRST_WAIT && set.kind[i] !== 255) {
                return set.by[i] >= BY_TASK && set.end[i] <= start
                    ? { from: set.by[i] - BY_TASK, to: task, time: set.end[i], cell: i } : null;
            }
            if (set.kind[i] === 255) {
                return null;
            }
        }
        const parent = this.#trace.tasks.parent[task];
        return parent ? { from: parent - 1, to: task, time: this.#trace.tasks.start[task], cell: -1 } : null;
    }

    /** The wake-up that ends the waiting cell i of a task. */
    of(task, i) {
        const set = this.#trace.taskLanes[task].finest;
        return set.by[i] >= BY_TASK ? { from: set.by[i] - BY_TASK, to: task, time: set.end[i], cell: i } : null;
    }

    /** Whom a task woke between two moments: [{from, to, time, cell}]. */
    after(task, from, to) {
        this.#index();
        const found = [];
        for (let k = this.#from[task]; k < this.#from[task + 1] && found.length < AFTER_MAX; k++) {
            const lane = Math.floor(this.#at[k] / 2 ** 32);
            const cell = this.#at[k] % 2 ** 32;
            const time = this.#trace.taskLanes[lane].finest.end[cell];
            if (time >= from && time <= to) {
                found.push({ from: task, to: lane, time, cell });
            }
        }
        return found;
    }

    // One pass counts, one fills: the wake-ups by waker.
    #index() {
        if (this.#from) {
            return;
        }
        const { taskLanes, tasks } = this.#trace;
        const each = (visit) => taskLanes.forEach(({ finest }, lane) => {
            for (let i = 0; i < finest.count; i++) {
                if (finest.by[i] >= BY_TASK && finest.kind[i] >= FIRST_WAIT && finest.kind[i] !== 255) {
                    visit(finest.by[i] - BY_TASK, lane, i);
                }
            }
        });
        this.#from = new Uint32Array(tasks.rows + 1);
        each((waker) => { this.#from[waker + 1]++; });
        for (let t = 0; t < tasks.rows; t++) {
            this.#from[t + 1] += this.#from[t];
        }
        const next = this.#from.slice();
        this.#at = new Float64Array(this.#from[tasks.rows]);
        each((waker, lane, i) => { this.#at[next[waker]++] = lane * 2 ** 32 + i; });
    }

    /** The worker on which a task runs at a time, or null. */
    workerAt(task, time) {
        const set = this.#trace.taskLanes[task].finest;
        for (const i of [firstEndingAfter(set, time), lastStartingBefore(set, time)]) {
            if (i >= 0 && i < set.count && set.kind[i] === 0 && set.ref[i] && set.start[i] <= time && set.end[i] >= time) {
                return set.ref[i] - 1;
            }
        }
        return null;
    }
}
