// The pyramid of a lane: the same cells, coarser from level to level, so that a picture costs no more than its pixels.
//
// A cell is a stretch of a lane: one state, or (kind MIXED) several short ones together, with the share of each. Level 0 is
// what the file holds. Level k merges what is shorter than its threshold; what is longer stays as it is, on each level.

export const MIXED = 255;

const FINEST_NS = 250;  // threshold of level 1
const STEP = 4;         // from one level to the next
const WITHOUT = 600;    // a lane with fewer cells is drawn as it is

/** An empty set of cells with place for `size` of them, and for `mixes` mixtures of `states` shares. */
function cells(size, states) {
    return {
        count: 0, states,
        start: new Float64Array(size), end: new Float64Array(size),
        kind: new Uint8Array(size), ref: new Uint32Array(size), by: new Uint32Array(size),
        hold: new Uint32Array(size), n: new Float64Array(size), mix: new Int32Array(size).fill(-1),
        shares: new Uint8Array(0),
    };
}

/** The time of each state in cell i, added to `sum` with the factor given. */
export function addTimes(set, i, factor, sum) {
    const length = (set.end[i] - set.start[i]) * factor;
    if (set.kind[i] !== MIXED) {
        sum[set.kind[i]] += length;
        return;
    }
    const at = set.mix[i] * set.states;
    for (let s = 0; s < set.states; s++) {
        sum[s] += (length * set.shares[at + s]) / 255;
    }
}

function coarser(below, threshold) {
    const out = cells(below.count, below.states);
    const shares = [];
    const times = new Float64Array(below.states);
    let from = -1;      // first cell of the run being merged, or -1
    let last = -1;
    let longest = -1;

    const copy = (i) => {
        const at = out.count++;
        for (const column of ['start', 'end', 'kind', 'ref', 'by', 'hold', 'n']) {
            out[column][at] = below[column][i];
        }
        if (below.mix[i] >= 0) {
            out.mix[at] = shares.length / below.states;
            const first = below.mix[i] * below.states;
            for (let s = 0; s < below.states; s++) {
                shares.push(below.shares[first + s]);
            }
        }
    };
    const flush = () => {
        if (from < 0) {
            return;
        }
        if (from === last) {
            copy(from);
        } else {
            const at = out.count++;
            const length = below.end[last] - below.start[from];
            out.start[at] = below.start[from];
            out.end[at] = below.end[last];
            out.kind[at] = MIXED;
            out.ref[at] = below.ref[longest];
            out.by[at] = below.by[longest];
            out.mix[at] = shares.length / below.states;
            for (let s = 0; s < below.states; s++) {
                shares.push(Math.round((255 * times[s]) / length));
            }
            let merged = 0;
            for (let i = from; i <= last; i++) {
                merged += below.n[i];
            }
            out.n[at] = merged;
        }
        from = -1;
    };

    for (let i = 0; i < below.count; i++) {
        const length = below.end[i] - below.start[i];
        if (from >= 0 && (length >= threshold || below.start[i] - below.end[last] >= threshold ||
                          below.end[last] - below.start[from] >= threshold)) {
            flush();
        }
        if (length >= threshold) {
            copy(i);
            continue;
        }
        if (from < 0) {
            from = longest = i;
            times.fill(0);
        }
        last = i;
        addTimes(below, i, 1, times);
        if (length > below.end[longest] - below.start[longest]) {
            longest = i;
        }
    }
    flush();
    out.shares = Uint8Array.from(shares);
    return out;
}

/** The cells of one lane on all levels; a level is made when it is first asked for. */
class Pyramid {
    constructor(finest) {
        this.levels = [finest];
    }

    get finest() {
        return this.levels[0];
    }

    /** The cells for a picture in which `ns` are the least that can be told apart. */
    at(ns) {
        let level = 0;
        let threshold = FINEST_NS;
        while (threshold <= ns && this.levels[level].count > WITHOUT) {
            level++;
            this.levels[level] ??= coarser(this.levels[level - 1], threshold);
            threshold *= STEP;
        }
        return this.levels[level];
    }
}

/** The first cell that ends after `time` (the number of cells when there is none). */
export function firstEndingAfter(set, time) {
    let low = 0;
    let high = set.count;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (set.end[middle] > time) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/** The last cell that starts before `time`, or -1. */
export function lastStartingBefore(set, time) {
    let low = 0;
    let high = set.count;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (set.start[middle] < time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

/** The cell at `time`, or -1 between cells. */
export function cellAt(set, time) {
    const i = firstEndingAfter(set, time);
    return i < set.count && set.start[i] <= time ? i : -1;
}

/** Makes the pyramids of lanes from the decoded columns: `counts[i]` cells for lane i, one lane after the other. */
export function buildLanes(table, mixes, counts, states) {
    const { rows } = table;
    const start = new Float64Array(rows);
    const end = new Float64Array(rows);
    const mix = new Int32Array(rows).fill(-1);
    let mixed = 0;
    for (let i = 0; i < rows; i++) {
        if (table.kind[i] === MIXED) {
            mix[i] = mixed++;
        }
    }
    const shares = new Uint8Array(mixed * states);
    for (let s = 0; s < states; s++) {
        const column = mixes[`s${s}`];
        for (let i = 0; column && i < mixed; i++) {
            shares[i * states + s] = column[i];
        }
    }
    const lanes = [];
    let from = 0;
    for (let lane = 0; lane < counts.length; lane++) {
        const to = from + counts[lane];
        let clock = 0;
        for (let i = from; i < to; i++) {
            start[i] = clock + table.gap[i];
            clock = end[i] = start[i] + table.dur[i];
        }
        const part = (column) => column.subarray(from, to);
        lanes.push(new Pyramid({
            count: to - from, states, shares,
            start: part(start), end: part(end), mix: part(mix),
            kind: part(table.kind), ref: part(table.ref), by: part(table.by), hold: part(table.hold), n: part(table.n),
        }));
        from = to;
    }
    return lanes;
}
