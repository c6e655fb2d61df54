// Mouse and keys: moving in the picture, selecting, searching.
import { extent, taskOf } from './describe.js';
import { firstEndingAfter, lastStartingBefore } from './levels.js';
import { pickAt } from './pick.js';
import { GROUP_ROW, TASK_ROW, WORKER_ROW } from './rows.js';
import { RULER } from './timeline.js';
import { toggleTheme } from './theme.js';

const DRAG_MIN = 4;     // px that make a drag of a click
const PINCH_MIN = 24;   // px between two fingers, below which they say nothing of a scale
const EDGE = 6;         // px within which the overview's frame is caught at its edge
const WHEEL_STEP = 0.0016;

function place(event, element) {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
}

/** Two fingers on the timeline: each keeps the time that it was put upon. */
class Pinch {
    constructor(app) {
        this.app = app;
        this.fingers = new Map();
    }

    get isOn() {
        return this.fingers.size > 1;
    }

    down(event, x) {
        if (event.pointerType === 'touch') {
            this.fingers.set(event.pointerId, { x });
            this.fingers.forEach((finger) => { finger.time = this.app.timeline.timeAt(finger.x); });
        }
    }

    /** Whether it was one of two or more fingers that moved. */
    move(event, x) {
        const finger = this.fingers.get(event.pointerId);
        if (!finger || !this.isOn) {
            return false;
        }
        finger.x = x;
        const [a, b] = [...this.fingers.values()].sort((one, other) => one.time - other.time);
        if (b.x - a.x >= PINCH_MIN && b.time > a.time) {
            const { timeline, viewport } = this.app;
            const pixel = (b.time - a.time) / (b.x - a.x);
            const from = a.time - (a.x - timeline.gutter) * pixel;
            viewport.set(from, from + timeline.plotWidth * pixel);
        }
        return true;
    }

    up(event) {
        this.fingers.delete(event.pointerId);
    }
}

function onTimeline(app) {
    const { timeline } = app;
    const { canvas } = timeline;
    const pinch = new Pinch(app);
    let drag = null;

    canvas.addEventListener('pointerdown', (event) => {
        if (event.button > 1) {
            return;
        }
        const { x, y } = place(event, canvas);
        canvas.focus({ preventScroll: true });
        canvas.setPointerCapture(event.pointerId);
        pinch.down(event, x);
        drag = pinch.isOn ? null : { x, y, pans: event.shiftKey || event.button === 1 || event.pointerType === 'touch', moved: false,
            time: timeline.timeAt(x), from: app.viewport.from, to: app.viewport.to, scroll: timeline.scroll };
        event.preventDefault();
    });
    canvas.addEventListener('pointermove', (event) => {
        const { x, y } = place(event, canvas);
        if (pinch.move(event, x)) {
            return;
        }
        if (!drag) {
            app.hover(pickAt(timeline, x, y), x >= timeline.gutter ? timeline.timeAt(x) : null, event.clientX, event.clientY);
            canvas.style.cursor = x < timeline.gutter && y > RULER ? 'default' : 'crosshair';
            return;
        }
        drag.moved ||= Math.abs(x - drag.x) > DRAG_MIN || (drag.pans && Math.abs(y - drag.y) > DRAG_MIN);
        if (!drag.moved) {
            return;
        }
        if (drag.pans) {
            const ns = ((drag.x - x) / timeline.plotWidth) * (drag.to - drag.from);
            timeline.scrollTo(drag.scroll + drag.y - y);
            app.viewport.set(drag.from + ns, drag.to + ns);
            app.scrolled();
        } else if (drag.x >= timeline.gutter) {
            app.selectRange(drag.time, timeline.timeAt(x), true);
        }
    });
    canvas.addEventListener('pointercancel', (event) => {
        pinch.up(event);
        drag = null;
    });
    canvas.addEventListener('pointerup', (event) => {
        const { x, y } = place(event, canvas);
        const was = drag;
        pinch.up(event);
        drag = null;
        if (!was || was.moved) {
            if (was && !was.pans && app.range) {
                app.selectRange(...app.range, false);
            }
            return;
        }
        const picked = pickAt(timeline, x, y);
        if (picked?.type === 'name') {
            app.clickName(picked.row);
        } else {
            app.select(picked);
        }
    });
    canvas.addEventListener('dblclick', (event) => {
        const { x, y } = place(event, canvas);
        const picked = pickAt(timeline, x, y);
        const span = picked && picked.type !== 'name' && extent(app.trace, picked);
        if (span) {
            app.viewport.frame(...span);
        }
    });
    canvas.addEventListener('pointerleave', () => app.hover(null, null));
    canvas.addEventListener('wheel', (event) => {
        const { x, y } = place(event, canvas);
        event.preventDefault();
        const unit = event.deltaMode === 1 ? 18 : 1;
        const dx = event.deltaX * unit;
        const dy = event.deltaY * unit;
        const pixel = app.viewport.span / timeline.plotWidth;
        if (event.ctrlKey || event.metaKey || y < RULER) {
            app.viewport.zoom(Math.exp(dy * WHEEL_STEP * (event.ctrlKey && Math.abs(dy) < 20 ? 6 : 1)), timeline.timeAt(Math.max(timeline.gutter, x)));
        } else if (event.shiftKey) {
            app.viewport.pan((dx || dy) * pixel);
        } else {
            if (Math.abs(dx) > Math.abs(dy)) {
                app.viewport.pan(dx * pixel);
            }
            timeline.scrollTo(timeline.scroll + dy);
            app.scrolled();
        }
    }, { passive: false });
}

function onOverview(app) {
    const { overview } = app;
    const { canvas } = overview;
    let drag = null;

    const partAt = (x) => {
        const x0 = overview.xOf(app.viewport.from);
        const x1 = overview.xOf(app.viewport.to);
        if (Math.abs(x - x0) <= EDGE) {
            return 'from';
        }
        if (Math.abs(x - x1) <= EDGE) {
            return 'to';
        }
        return x > x0 && x < x1 && !app.viewport.isWhole ? 'frame' : 'new';
    };
    canvas.addEventListener('pointerdown', (event) => {
        const { x } = place(event, canvas);
        canvas.setPointerCapture(event.pointerId);
        drag = { part: partAt(x), time: overview.timeAt(x), from: app.viewport.from, to: app.viewport.to, x, moved: false };
    });
    canvas.addEventListener('pointermove', (event) => {
        const { x } = place(event, canvas);
        if (!drag) {
            canvas.style.cursor = { from: 'ew-resize', to: 'ew-resize', frame: 'grab', new: 'crosshair' }[partAt(x)];
            return;
        }
        drag.moved ||= Math.abs(x - drag.x) > DRAG_MIN;
        if (!drag.moved) {
            return;
        }
        const time = overview.timeAt(x);
        if (drag.part === 'frame') {
            app.viewport.set(drag.from + time - drag.time, drag.to + time - drag.time);
        } else {
            const other = { from: drag.to, to: drag.from, new: drag.time }[drag.part];
            app.viewport.set(Math.min(time, other), Math.max(time, other));
        }
    });
    canvas.addEventListener('pointerup', () => {
        if (drag && !drag.moved && drag.part === 'new') {
            const { span } = app.viewport;
            app.viewport.go(drag.time - span / 2, drag.time + span / 2);
        }
        drag = null;
    });
    canvas.addEventListener('dblclick', () => app.viewport.whole());
    canvas.addEventListener('wheel', (event) => {
        event.preventDefault();
        app.viewport.zoom(Math.exp(event.deltaY * WHEEL_STEP), overview.timeAt(place(event, canvas).x));
    }, { passive: false });
}

/** Goes from the selected cell to the one before or after it in its lane. */
function step(app, forward) {
    const picked = app.selected;
    if (picked?.type !== 'task' && picked?.type !== 'worker') {
        return;
    }
    const i = picked.i + (forward ? 1 : -1);
    if (i >= 0 && i < picked.set.count) {
        app.select({ ...picked, i });
        app.viewport.reveal(picked.set.start[i], picked.set.end[i]);
    }
}

/** Goes to the lane above or below, to the cell nearest in time. */
function stepLane(app, down) {
    const { rows, timeline, trace, viewport, selected } = app;
    const time = selected && extent(trace, selected) ? Math.max(extent(trace, selected)[0], viewport.from)
        : (viewport.from + viewport.to) / 2;
    const from = app.rowOf(selected)?.at ?? (down ? -1 : rows.list.length);
    for (let at = from + (down ? 1 : -1); at >= 0 && at < rows.list.length; at += down ? 1 : -1) {
        const row = rows.list[at];
        if (row.type === GROUP_ROW) {
            app.select({ type: 'group', index: row.index, time });
            timeline.reveal(row);
            return;
        }
        const lanes = { [TASK_ROW]: trace.taskLanes, [WORKER_ROW]: trace.workerLanes }[row.type];
        const set = lanes?.[row.index].at((viewport.span / timeline.plotWidth) * 1.5);
        if (set?.count) {
            const i = Math.min(set.count - 1, firstEndingAfter(set, time));
            app.select({ type: row.type, index: row.index, set, i: Math.max(0, Math.max(i, lastStartingBefore(set, viewport.from))) });
            timeline.reveal(row);
            return;
        }
    }
}

function enter(app) {
    const { selected, range, trace } = app;
    if (selected?.type === 'group') {
        app.clickName({ type: GROUP_ROW, index: selected.index });
    } else if (selected && extent(trace, selected)) {
        app.viewport.frame(...extent(trace, selected));
    } else if (range) {
        app.viewport.frame(...range, 0.02);
    }
}

function onKeys(app) {
    const middle = () => app.cursor ?? (app.viewport.from + app.viewport.to) / 2;
    const inTimeline = {
        ArrowLeft: () => (app.selected ? step(app, false) : app.viewport.panSmoothly(-app.viewport.span * 0.2)),
        ArrowRight: () => (app.selected ? step(app, true) : app.viewport.panSmoothly(app.viewport.span * 0.2)),
        ArrowUp: () => stepLane(app, false),
        ArrowDown: () => stepLane(app, true),
        Enter: () => enter(app),
        Backspace: () => app.viewport.back(),
        PageUp: () => { app.timeline.scrollTo(app.timeline.scroll - app.timeline.height * 0.8); app.scrolled(); },
        PageDown: () => { app.timeline.scrollTo(app.timeline.scroll + app.timeline.height * 0.8); app.scrolled(); },
    };
    const anywhere = {
        w: () => app.viewport.zoomSmoothly(0.5, middle()),
        '+': () => app.viewport.zoomSmoothly(0.5, middle()),
        '=': () => app.viewport.zoomSmoothly(0.5, middle()),
        s: () => app.viewport.zoomSmoothly(2, middle()),
        '-': () => app.viewport.zoomSmoothly(2, middle()),
        a: () => app.viewport.panSmoothly(-app.viewport.span * 0.3),
        d: () => app.viewport.panSmoothly(app.viewport.span * 0.3),
        0: () => app.viewport.whole(),
        1: () => app.show('workers'),
        2: () => app.show('tasks'),
        3: () => app.show('path'),
        '/': () => app.elements.search.focus(),
        n: () => app.nextHit(1),
        N: () => app.nextHit(-1),
        g: () => app.otherView(),
        k: () => app.toWaker(),
        p: () => app.showPath(taskOf(app.trace, app.selected)),
        '[': () => app.panels.step(-1),
        ']': () => app.panels.step(1),
        t: () => { toggleTheme(); app.themed(); },
        '?': () => app.elements.help.showModal(),
        Escape: () => app.clear(),
    };
    document.addEventListener('keydown', (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || app.elements.help.open) {
            return;
        }
        const { target } = event;
        if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) {
            return;
        }
        const focused = target === app.timeline.canvas || target === document.body;
        const action = anywhere[event.key] ?? (focused ? inTimeline[event.key] : null);
        if (action) {
            event.preventDefault();
            action();
        }
    });
}

function onSearch(app) {
    const { search } = app.elements;
    search.addEventListener('input', () => app.search(search.value));
    search.addEventListener('keydown', (event) => {
        if (event.key === 'Enter') {
            app.nextHit(event.shiftKey ? -1 : 1);
            event.preventDefault();
        } else if (event.key === 'Escape') {
            search.value = '';
            app.search('');
            app.timeline.canvas.focus();
            event.preventDefault();
        }
    });
}

function onSplitter(app) {
    const { splitter, panel } = app.elements;
    const resize = (height) => {
        panel.style.height = `${Math.min(Math.max(height, 90), window.innerHeight - 260)}px`;
        app.resized();
    };
    let drag = null;
    splitter.addEventListener('pointerdown', (event) => {
        splitter.setPointerCapture(event.pointerId);
        drag = { y: event.clientY, height: panel.clientHeight };
    });
    splitter.addEventListener('pointermove', (event) => drag && resize(drag.height + drag.y - event.clientY));
    splitter.addEventListener('pointerup', () => { drag = null; });
    splitter.addEventListener('keydown', (event) => {
        const by = { ArrowUp: 24, ArrowDown: -24 }[event.key];
        if (by) {
            resize(panel.clientHeight + by);
            event.preventDefault();
        }
    });
}

/** Connects everything that a person can do with the page. */
export function listen(app) {
    const { elements } = app;
    const click = (id, action) => elements[id].addEventListener('click', action);
    onTimeline(app);
    onOverview(app);
    onKeys(app);
    onSearch(app);
    onSplitter(app);
    click('view-workers', () => app.show('workers'));
    click('view-tasks', () => app.show('tasks'));
    click('view-path', () => app.show('path'));
    click('hit-back', () => app.nextHit(-1));
    click('hit-next', () => app.nextHit(1));
    click('theme', () => { toggleTheme(); app.themed(); });
    click('help-open', () => elements.help.showModal());
    const middle = () => (app.viewport.from + app.viewport.to) / 2;
    click('zoom-in', () => app.viewport.zoomSmoothly(0.5, middle()));
    click('zoom-out', () => app.viewport.zoomSmoothly(2, middle()));
    click('zoom-fit', () => app.viewport.whole());
    elements.scroll.addEventListener('scroll', () => {
        app.timeline.scrollTo(elements.scroll.scrollTop);
        app.redraw();
    });
    new ResizeObserver(() => app.resized()).observe(app.timeline.canvas.parentElement);
}

