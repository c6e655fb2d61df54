// The strip on top of the timeline: the whole recording, and which part of it is shown.
import { drawGroup, Frame } from './draw.js';
import { duration } from './format.js';
import { palette } from './theme.js';
import { FONT, gutterOf, plotOf } from './timeline.js';

/** All tasks' states over the whole recording, and the frame of what is shown. */
export class Overview {
    constructor(canvas, app) {
        this.canvas = canvas;
        this.app = app;
        this.picture = null;
    }

    forget() {
        this.picture = null;
    }

    get gutter() {
        return gutterOf(this.canvas.clientWidth);
    }

    timeAt(x) {
        return ((x - this.gutter) / plotOf(this.canvas.clientWidth)) * this.app.trace.duration;
    }

    xOf(time) {
        return this.gutter + (time / this.app.trace.duration) * plotOf(this.canvas.clientWidth);
    }

    // Where nothing was merged, when something was elsewhere.
    #drawWhole(context, colours, height) {
        const { detail, meta, duration: whole } = this.app.trace;
        if (!meta.merged?.tasks_ns || !detail.rows) {
            return;
        }
        context.fillStyle = colours.states.running;
        for (let i = 0; i < detail.rows; i++) {
            if (detail.tasks[i] === 0) {
                const x = this.xOf((i / detail.rows) * whole);
                context.fillRect(x, height - 4, Math.max(1.5, this.xOf(((i + 1) / detail.rows) * whole) - x), 3);
            }
        }
    }

    #paint(width, height, ratio) {
        const { trace } = this.app;
        const picture = document.createElement('canvas');
        picture.width = Math.round(width * ratio);
        picture.height = Math.round(height * ratio);
        const context = picture.getContext('2d');
        context.scale(ratio, ratio);
        const { count: n } = trace.meta.bins;
        const states = trace.states.length;
        const sums = Array.from({ length: states }, () => new Float64Array(n));
        for (let g = 0; g < trace.groups.rows; g++) {
            for (let s = 0; s < states; s++) {
                const column = trace.bins[`s${s}`];
                for (let i = 0; i < n; i++) {
                    sums[s][i] += column[g * n + i];
                }
            }
        }
        let most = 1e-9;
        for (let i = 0; i < n; i++) {
            most = Math.max(most, sums.reduce((sum, column) => sum + column[i], 0));
        }
        const viewport = { from: 0, to: trace.duration };
        const frame = new Frame(context, viewport, this.gutter, plotOf(width), trace);
        drawGroup(frame, { from: 0, times: sums, most }, 2, height);
        return picture;
    }

    draw() {
        const { canvas, app } = this;
        const colours = palette();
        const ratio = window.devicePixelRatio || 1;
        const width = canvas.clientWidth;
        const height = canvas.clientHeight;
        if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
            canvas.width = Math.round(width * ratio);
            canvas.height = Math.round(height * ratio);
            this.picture = null;
        }
        this.picture ??= this.#paint(width, height, ratio);
        const context = canvas.getContext('2d');
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.fillStyle = colours.raised;
        context.fillRect(0, 0, width, height);
        context.drawImage(this.picture, 0, 0, width, height);
        context.font = FONT;
        context.textBaseline = 'middle';
        context.fillStyle = colours.faint;
        context.fillText('All tasks', 12, height / 2 - 8);
        context.fillText(duration(app.trace.duration), 12, height / 2 + 8);

        const { viewport, range } = app;
        const right = this.gutter + plotOf(width);
        const x0 = Math.max(this.gutter, this.xOf(viewport.from));
        const x1 = Math.max(x0 + 2, Math.min(right, this.xOf(viewport.to)));
        context.globalAlpha = 0.62;
        context.fillStyle = colours.raised;
        context.fillRect(this.gutter, 0, x0 - this.gutter, height);
        context.fillRect(x1, 0, right - x1, height);
        context.globalAlpha = 1;
        if (range) {
            context.globalAlpha = 0.25;
            context.fillStyle = colours.accent;
            context.fillRect(this.xOf(range[0]), 0, Math.max(1, this.xOf(range[1]) - this.xOf(range[0])), height);
            context.globalAlpha = 1;
        }
        this.#drawWhole(context, colours, height);
        context.strokeStyle = colours.accent;
        context.lineWidth = 1.5;
        context.strokeRect(x0 + 0.5, 1.5, x1 - x0 - 1, height - 3);
        context.fillStyle = colours.accent;
        for (const x of [x0, x1]) {
            context.beginPath();
            context.roundRect(x - 2, height / 2 - 8, 4, 16, 2);
            context.fill();
        }
    }
}
