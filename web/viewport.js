// The stretch of time that is shown, how it moves, and where it was before.

const SHORTEST_NS = 100;
const SMOOTH_MS = 160;
const KEPT = 60;

export class Viewport {
    constructor(duration, changed) {
        this.duration = duration;
        this.changed = changed;
        this.margin = duration * 0.01;
        this.from = -this.margin;
        this.to = duration + this.margin;
        this.history = [];
        this.target = null;
        this.still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    }

    get span() {
        return this.to - this.from;
    }

    get isWhole() {
        return this.from <= 0 && this.to >= this.duration;
    }

    #limited(from, to) {
        const least = -this.margin;
        const most = this.duration + this.margin;
        const span = Math.min(Math.max(to - from, Math.min(SHORTEST_NS, most - least)), most - least);
        const middle = (from + to) / 2;
        const start = Math.min(Math.max(middle - span / 2, least), most - span);
        return [start, start + span];
    }

    /** Shows from..to at once. */
    set(from, to) {
        this.target = null;
        [this.from, this.to] = this.#limited(from, to);
        this.changed();
    }

    /** Moves smoothly to from..to; the view before can be returned to. */
    go(from, to, remember = true) {
        if (remember) {
            this.history.push([this.from, this.to]);
            this.history.splice(0, this.history.length - KEPT);
        }
        const target = this.#limited(from, to);
        if (this.still) {
            this.set(...target);
            return;
        }
        this.target = { from: this.from, to: this.to, target, began: performance.now() };
        this.changed();
    }

    back() {
        const before = this.history.pop();
        if (before) {
            this.go(...before, false);
        }
    }

    whole() {
        this.go(-this.margin, this.duration + this.margin);
    }

    /** One frame of a movement; returns whether it goes on. Spans change by the same factor in the same time. */
    step(now) {
        if (!this.target) {
            return false;
        }
        const { from, to, target, began } = this.target;
        const part = Math.min(1, (now - began) / SMOOTH_MS);
        const eased = 1 - (1 - part) ** 3;
        if (part >= 1) {
            [this.from, this.to] = target;
            this.target = null;
            return false;
        }
        const span = (to - from) * ((target[1] - target[0]) / (to - from)) ** eased;
        const share = Math.abs((target[1] - target[0]) / (to - from) - 1) < 1e-6 ? eased
            : (span - (to - from)) / (target[1] - target[0] - (to - from));
        this.from = from + (target[0] - from) * share;
        this.to = this.from + span;
        return true;
    }

    /** Zooms by a factor around a time. */
    zoom(factor, around) {
        this.set(around - (around - this.from) * factor, around + (this.to - around) * factor);
    }

    zoomSmoothly(factor, around) {
        const [from, to] = this.target?.target ?? [this.from, this.to];
        this.go(around - (around - from) * factor, around + (to - around) * factor, false);
    }

    pan(ns) {
        this.set(this.from + ns, this.to + ns);
    }

    panSmoothly(ns) {
        const [from, to] = this.target?.target ?? [this.from, this.to];
        this.go(from + ns, to + ns, false);
    }

    /** Shows a stretch with some room around it. */
    frame(from, to, room = 0.15) {
        const span = Math.max(to - from, SHORTEST_NS);
        this.go(from - span * room, to + span * room);
    }

    /** Brings a stretch into view, changing as little as possible. */
    reveal(from, to) {
        if (to - from > this.span) {
            this.frame(from, to);
        } else if (from < this.from || to > this.to) {
            const middle = (from + to) / 2;
            this.go(middle - this.span / 2, middle + this.span / 2);
        }
    }
}
