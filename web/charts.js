// Charts of the counters, drawn by uPlot where the page was built with it. The timeline has a lane for each in any case.
import { amount, duration } from './format.js';
import { make } from './table.js';
import { palette } from './theme.js';

const CHART_HEIGHT = 150;
const POINTS_MAX = 4000;

function points(trace, counter, from, to) {
    const times = [];
    const values = [];
    const { time, value } = counter;
    let first = 0;
    while (first + 1 < time.length && time[first + 1] <= from) {
        first++;
    }
    const every = Math.max(1, Math.floor(time.length / POINTS_MAX));
    for (let i = first; i < time.length && time[i] <= to; i += every) {
        times.push(Math.max(time[i], from) / 1e9);
        values.push(value[i]);
    }
    if (times.length) {
        times.push(to / 1e9);
        values.push(values[values.length - 1]);
    }
    return [times, values];
}

function chart(app, counter, width, from, to) {
    const colours = palette();
    const axis = { stroke: colours.faint, grid: { stroke: colours.line, width: 1 }, ticks: { stroke: colours.line, width: 1 },
        font: '11px system-ui, sans-serif' };
    const element = make('div', { class: 'chart' });
    const options = {
        width, height: CHART_HEIGHT, title: counter.name,
        cursor: { sync: { key: 'plait' }, drag: { x: true, y: false, setScale: false } },
        legend: { show: true, live: true },
        scales: { x: { time: false, min: from / 1e9, max: to / 1e9 }, y: { range: (_, low, high) => [Math.min(0, low), high <= low ? low + 1 : high * 1.06] } },
        axes: [
            { ...axis, size: 28, values: (_, ticks) => ticks.map((t) => (t === 0 ? '0' : duration(t * 1e9))) },
            { ...axis, size: 64, values: (_, ticks) => ticks.map((v) => amount(Math.round(v * 1000) / 1000, counter.unit)) },
        ],
        series: [
            { label: 'at', value: (_, v) => (v === null ? '–' : duration(v * 1e9, 5)) },
            { label: 'value', stroke: colours.accent, fill: `color-mix(in srgb, ${colours.accent} 16%, transparent)`, width: 1.5,
                paths: globalThis.uPlot.paths.stepped({ align: 1 }), points: { show: false },
                value: (_, v) => (v === null || v === undefined ? '–' : amount(v, counter.unit)) },
        ],
        hooks: {
            setSelect: [(plot) => {
                if (plot.select.width > 3) {
                    app.selectRange(plot.posToVal(plot.select.left, 'x') * 1e9,
                        plot.posToVal(plot.select.left + plot.select.width, 'x') * 1e9, true);
                    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
                }
            }],
        },
    };
    const plot = new globalThis.uPlot(options, points(app.trace, counter, from, to), element);
    element.setAttribute('role', 'img');
    element.setAttribute('aria-label', `${counter.name}: least ${amount(counter.min, counter.unit)}, most ${amount(counter.max, counter.unit)}`);
    return { element, plot };
}

/** The tab of the counters: a chart each, over the selected time or the whole recording. */
export function counterCharts(app) {
    const { trace } = app;
    if (!globalThis.uPlot) {
        return make('p', { class: 'faint' }, 'This page was built without uPlot, for want of npm: the counters are the upper lanes of the timeline, and their figures are in the selection of a stretch of time.');
    }
    const [from, to] = app.range ?? [0, trace.duration];
    const room = app.elements['tab-body'].clientWidth - 36;
    const inRow = room > 900 ? 2 : 1;
    const width = Math.floor(room / inRow) - 16;
    const charts = trace.counters.filter((counter) => counter.time.length).map((counter) => chart(app, counter, width, from, to));
    app.panels.drop = () => charts.forEach(({ plot }) => plot.destroy());
    return make('div', { class: 'charts' }, ...charts.map(({ element }) => element));
}
