// Times, amounts and names as text.

const UNITS = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']];

/** A length of time in ns with about three significant digits: "1.25 ms". */
export function duration(ns, digits = 3) {
    if (ns === 0) {
        return '0';
    }
    const size = Math.abs(ns);
    if (size >= 120e9) {
        const minutes = Math.floor(size / 60e9);
        return `${ns < 0 ? '−' : ''}${minutes} min ${((size - minutes * 60e9) / 1e9).toFixed(1)} s`;
    }
    const [scale, unit] = UNITS.find(([s]) => size >= s * 0.9995) ?? UNITS[3];
    const value = size / scale;
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.max(value, 1))));
    return `${ns < 0 ? '−' : ''}${value.toFixed(unit === 'ns' && value >= 1 ? Math.min(decimals, 1) : decimals)} ${unit}`;
}

/** A moment since the start of the recording, as exact as `step` ns asks for. */
export function moment(ns, step) {
    const span = Math.max(Math.abs(ns), step);
    const [scale, unit] = UNITS.find(([s]) => span >= s) ?? UNITS[3];
    const decimals = Math.min(9, Math.max(0, Math.ceil(Math.log10(scale / step) - 1e-9)));
    return `${(ns / scale).toFixed(scale === 1 ? 0 : decimals)} ${unit}`;
}

/** A moment with all digits that matter, for tables: "1.204 512 s" without the gaps. */
export function exact(ns) {
    return `${(ns / 1e9).toFixed(6)} s`;
}

/** A count with thin spaces between thousands. */
export function count(n) {
    return Math.round(n).toString().replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

/** A share of a whole. */
export function percent(part, whole) {
    if (!(whole > 0)) {
        return '–';
    }
    const value = (100 * part) / whole;
    if (value > 0 && value < 0.1) {
        return '< 0.1 %';
    }
    return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/** A counter's value with its unit; bytes become MB and the like. */
export function amount(value, unit) {
    if (unit === 'bytes' || unit === 'B') {
        const scale = [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB']].find(([s]) => Math.abs(value) >= s);
        return scale ? `${(value / scale[0]).toFixed(Math.abs(value) / scale[0] < 100 ? 1 : 0)} ${scale[1]}` : `${value} B`;
    }
    const text = Number.isInteger(value) ? count(value) : value.toPrecision(3);
    return unit ? `${text} ${unit}` : text;
}

/** A round step so that about `most` steps fit into `span` (1, 2 or 5 times a power of ten). */
export function roundStep(span, most) {
    const raw = span / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 5, 10].map((f) => f * power).find((step) => step >= raw * 0.999);
}
