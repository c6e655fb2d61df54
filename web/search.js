// Finds tasks, spans, requests and objects by a part of their name, or a task by "#number".

const HITS_MAX = 5000;

function matcher(query) {
    const wanted = query.trim().toLowerCase();
    return wanted ? (text) => text.toLowerCase().includes(wanted) : null;
}

/**
 * What matches, in the order of time: {list: [{type, index, start, end}], names: Set of name indices, total}.
 * A name that matches says so for everything that bears it; null for an empty query.
 */
export function search(trace, query) {
    const number = /^#(\d+)$/.exec(query.trim());
    const matches = matcher(query);
    if (!matches) {
        return null;
    }
    const names = new Set();
    trace.names.forEach((name, i) => {
        if (matches(name)) {
            names.add(i);
        }
    });
    const list = [];
    let total = 0;
    const add = (type, index, start, end) => {
        total++;
        if (list.length < HITS_MAX) {
            list.push({ type, index, start, end });
        }
    };
    const { tasks, spans, requests } = trace;
    for (let t = 0; t < tasks.rows; t++) {
        if (number ? tasks.id[t] === Number(number[1]) : names.has(tasks.name[t])) {
            add('task', t, tasks.start[t], tasks.end[t]);
        }
    }
    for (let i = 0; i < spans.rows; i++) {
        if (names.has(spans.name[i])) {
            add('span', i, spans.start[i], spans.end[i]);
        }
    }
    for (let i = 0; i < requests.rows; i++) {
        if (names.has(requests.name[i]) && requests.task[i]) {
            add('request', i, requests.start[i], requests.start[i] + requests.dur[i]);
        }
    }
    const { instants } = trace;
    for (let i = 0; i < instants.rows; i++) {
        if (names.has(instants.name[i]) && instants.task[i]) {
            add('instant', instants.task[i] - 1, instants.time[i], instants.time[i]);
        }
    }
    const objects = new Set();
    for (let i = 0; i < trace.objects.rows; i++) {
        if (names.has(trace.objects.name[i])) {
            objects.add(i + 1);
        }
    }
    if (objects.size) {
        trace.taskLanes.forEach(({ finest }, t) => {
            for (let i = 0; i < finest.count; i++) {
                if (finest.kind[i] > 1 && objects.has(finest.ref[i])) {
                    add('wait', t, finest.start[i], finest.end[i]);
                }
            }
        });
    }
    list.sort((a, b) => a.start - b.start || b.end - a.end);
    return { list, names, objects, number: number ? Number(number[1]) : null, total };
}

/** A test for the drawing: whether a cell, span or request belongs to what was found. */
export function dimmer(trace, found) {
    if (!found) {
        return null;
    }
    const taskMatches = (task) => (found.number !== null ? trace.tasks.id[task] === found.number
        : found.names.has(trace.tasks.name[task]));
    return (type, index, set, i) => {
        switch (type) {
        case 'worker': return set.ref[i] ? taskMatches(set.ref[i] - 1) : found.names.has(set.by[i]);
        case 'task': return taskMatches(index) || (set.kind[i] > 1 && found.objects.has(set.ref[i]));
        case 'span': return found.names.has(trace.spans.name[index]) || taskMatches(trace.spans.task[index]);
        default: return found.names.has(trace.requests.name[index]);
        }
    };
}
