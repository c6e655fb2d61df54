// What the page knows of the recording: lanes, tasks, groups, spans, counters, and where each is found.
import { buildLanes, MIXED } from './levels.js';

export const RUNNING = 0;
export const RUNNABLE = 1;
export const FIRST_WAIT = 2;

/** Who ended a wait: nobody known; the runtime (a timer, the poller); a task without a lane; task number by - BY_TASK. */
const BY_RUNTIME = 1;
const BY_OTHER = 2;
export const BY_TASK = 3;

/** What a worker's cell says: it runs a task, sleeps, or does a job or a blocking call. */
export const LANE_RUNS = 0;
export const LANE_SLEEPS = 1;
export const LANE_JOB = 2;
export const LANE_STATES = 3;

export const WORKER = 0;
export const OFFLOAD = 1;
export const PROCESS = 2;

const EMPTY = { rows: 0 };

/** Phases of a request, in order. */
const PHASES = ['queued', 'name', 'connect', 'TLS', 'send', 'first byte', 'body'];

// Which colour family a cause of waiting belongs to, by the words in its name.
const LOOKS = [
    [/^(sleep|timer|delay|deadline)/, 'timer'],
    [/(mutex|rwlock|rdlock|wrlock|read lock|write lock|lock)/, 'lock'],
    [/(channel|queue|select|broadcast|send|receive|recv)/, 'channel'],
    [/(join|task|scope|future|gather|fork)/, 'join'],
    [/(process|child|job|pool|exit)/, 'process'],
    [/(call|file|name|thread|offload|blocking)/, 'offload'],
    [/^(http|request)/, 'http'],
    [/(read|write|poll|fd|accept|connect|socket|ring|signal|io)/, 'io'],
    [/(cond|sem|event|barrier|latch|once|limit|turn)/, 'sync'],
];

function lookOf(key) {
    return LOOKS.find(([words]) => words.test(key))?.[1] ?? 'other';
}

function labelOf(key) {
    return key.replace(/_/g, ' ');
}

function offsets(counts) {
    const result = new Uint32Array(counts.length + 1);
    for (let i = 0; i < counts.length; i++) {
        result[i + 1] = result[i] + counts[i];
    }
    return result;
}

export class Trace {
    constructor(block) {
        const { meta } = block;
        this.meta = meta;
        this.duration = Math.max(1, meta.duration_ns);
        this.names = meta.names;
        this.states = meta.states.map((key, kind) => ({ key, label: labelOf(key), look: kind < FIRST_WAIT ? key : lookOf(key) }));
        this.summary = meta.summary;

        this.workers = block.workers;
        this.workerLanes = buildLanes(block.worker_cells, block.worker_mixes ?? EMPTY, this.workers.cells, LANE_STATES);

        this.tasks = block.tasks;
        this.taskLanes = buildLanes(block.task_cells, block.task_mixes ?? EMPTY, this.tasks.cells, this.states.length);

        this.groups = block.groups;
        this.bins = block.bins;
        this.objects = block.objects ?? EMPTY;
        this.spans = block.spans ?? EMPTY;
        this.instants = block.instants ?? EMPTY;
        this.flows = block.flows ?? EMPTY;
        this.requests = block.requests ?? EMPTY;
        this.detail = block.detail ?? EMPTY;
        this.#indexTasks();
        this.#indexRequests();
        this.#indexSpans();
        this.#readCounters(block.samples ?? EMPTY);
    }

    #indexTasks() {
        const { tasks } = this;
        this.taskOfId = new Map();
        this.membersOf = Array.from({ length: this.groups.rows }, () => []);
        for (let t = 0; t < tasks.rows; t++) {
            this.taskOfId.set(tasks.id[t], t);
            this.membersOf[tasks.group[t]].push(t);
        }
        this.allTasks = 0;
        for (let g = 0; g < this.groups.rows; g++) {
            this.allTasks += this.groups.tasks[g];
        }
        /** Whether tasks were folded into their groups, for want of room. */
        this.folded = this.allTasks - tasks.rows;
    }

    #indexSpans() {
        if (!this.spans.rows) {
            this.spanFrom = new Uint32Array(this.tasks.rows + 1);
            this.spanDepth = new Uint8Array(this.tasks.rows);
            return;
        }
        this.spanFrom = offsets(this.tasks.spans);
        const { spans } = this;
        spans.end = new Float64Array(spans.rows);
        spans.task = new Uint32Array(spans.rows);
        this.spanDepth = new Uint8Array(this.tasks.rows);
        for (let t = 0; t < this.tasks.rows; t++) {
            for (let i = this.spanFrom[t]; i < this.spanFrom[t + 1]; i++) {
                spans.end[i] = spans.start[i] + spans.dur[i];
                spans.task[i] = t;
                this.spanDepth[t] = Math.max(this.spanDepth[t], spans.depth[i] + 1);
            }
        }
    }

    // Requests lie below the spans of their task, and their phases below them.
    #indexRequests() {
        const { requests, tasks } = this;
        this.requestsOf = new Map();
        for (let i = 0; i < requests.rows; i++) {
            const task = requests.task[i] - 1;
            if (task >= 0) {
                if (!this.requestsOf.has(task)) {
                    this.requestsOf.set(task, []);
                }
                this.requestsOf.get(task).push(i);
            }
        }
    }

    /** The phases of a request that happened: [{name, start, end}], in order. */
    phasesOf(request) {
        const { requests } = this;
        const phases = [];
        let from = requests.start[request];
        PHASES.forEach((name, p) => {
            const until = requests[`p${p}`][request];
            if (until) {
                const end = requests.start[request] + until - 1;
                phases.push({ name, phase: p, start: from, end: Math.max(from, end) });
                from = Math.max(from, end);
            }
        });
        return phases;
    }

    /** How many rows of spans, requests and phases a task has below its states. */
    depthOf(task) {
        return this.spanDepth[task] + (this.requestsOf.has(task) ? 2 : 0);
    }

    #readCounters(samples) {
        let from = 0;
        this.counters = (this.meta.counters ?? []).map((counter) => {
            const to = from + counter.samples;
            const time = samples.time.subarray(from, to);
            const value = samples.value.subarray(from, to).map((v) => v / (counter.scale ?? 1));
            from = to;
            let min = Infinity;
            let max = -Infinity;
            for (const v of value) {
                min = Math.min(min, v);
                max = Math.max(max, v);
            }
            return { ...counter, time, value, min, max };
        });
    }

    groupName(group) {
        return this.names[this.groups.name[group]];
    }

    /** The name of a task for people: what it was called, and its number. */
    taskName(task) {
        return `${this.names[this.tasks.name[task]]} #${this.tasks.id[task]}`;
    }

    workerName(worker) {
        return this.names[this.workers.name[worker]];
    }

    objectName(object) {
        return this.names[this.objects.name[object]];
    }

    stateLabel(kind) {
        return kind === MIXED ? 'several short states' : this.states[kind].label;
    }

    /** Who ended the wait in a cell, in words; null when nobody is known. */
    wakerName(by) {
        if (by >= BY_TASK) {
            return this.taskName(by - BY_TASK);
        }
        return { [BY_RUNTIME]: 'the runtime', [BY_OTHER]: 'a task without a lane' }[by] ?? null;
    }

    /** The deepest spans of a task at a time, outermost first. */
    spansAt(task, time) {
        const found = [];
        const { spans } = this;
        for (let i = this.spanFrom[task]; i < this.spanFrom[task + 1] && spans.start[i] <= time; i++) {
            if (spans.end[i] > time) {
                found.push(i);
            }
        }
        return found;
    }

    /** The value of a counter at a time (what was last sampled before it), or null. */
    counterAt(counter, time) {
        let low = 0;
        let high = counter.time.length;
        while (low < high) {
            const middle = (low + high) >>> 1;
            if (counter.time[middle] <= time) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low ? counter.value[low - 1] : null;
    }
}
