// The critical path of a task: what its end waited for, back to the start of the recording.
//
// Walked backwards from the end of the task. Where the task waited and another task woke it, the path goes on in that one
// at that moment: what it did until then is what the wait was for. A wait that a timer or the kernel ended is a step of
// the path itself. At the first moment of a task, the path goes on in the task that spawned it. Each moment is on the path
// once, so that the steps add up to the time from the start of the path to its end.
import { lastStartingBefore } from './levels.js';
import { BY_TASK, FIRST_WAIT, RUNNABLE } from './model.js';

const STEPS_MAX = 20000;

/** The steps of the path to `end` on a task, first one first: {task, kind, ref, start, end}. */
export function criticalPath(trace, task, end) {
    const steps = [];
    const add = (on, kind, ref, start, until, exact) => {
        const next = steps[steps.length - 1];
        if (next && next.task === on && next.kind === kind && next.start === until && next.ref === ref) {
            next.start = start;
        } else if (until > start) {
            steps.push({ task: on, kind, ref, start, end: until, exact });
        }
    };

    let on = task;
    let time = end;
    let jumps = 0;
    while (steps.length < STEPS_MAX && jumps < STEPS_MAX) {
        const set = trace.taskLanes[on].finest;
        const i = lastStartingBefore(set, time);
        if (i < 0) {
            const parent = trace.tasks.parent[on];
            if (!parent) {
                break;
            }
            on = parent - 1;
            jumps++;
            continue;
        }
        const until = Math.min(time, set.end[i]);
        if (set.kind[i] >= FIRST_WAIT && set.by[i] >= BY_TASK && set.end[i] <= time && set.by[i] - BY_TASK !== on &&
            trace.tasks.start[set.by[i] - BY_TASK] < set.end[i]) {
            // Between the wake-up and now the task was runnable or a cell is missing; then the waker had the word.
            on = set.by[i] - BY_TASK;
            time = set.end[i];
            jumps++;
            continue;
        }
        add(on, set.kind[i], set.kind[i] === RUNNABLE ? 0 : set.ref[i], set.start[i], until, set.n[i] <= 1);
        time = set.start[i];
    }
    return steps.reverse();
}

/** The path by task group and state: [{group, kind, time, steps}], longest first. */
export function pathShares(trace, steps) {
    const shares = new Map();
    for (const step of steps) {
        const group = trace.tasks.group[step.task];
        const key = group * 256 + step.kind;
        let row = shares.get(key);
        if (!row) {
            shares.set(key, row = { group, kind: step.kind, time: 0, steps: 0 });
        }
        row.time += step.end - step.start;
        row.steps++;
    }
    return [...shares.values()].sort((a, b) => b.time - a.time);
}
