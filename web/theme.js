// Colours: of states by what they mean, of groups by their number; read from the style sheet, so that both themes fit.

const STATE_COLOURS = [
    'running', 'runnable', 'io', 'http', 'timer', 'lock', 'channel', 'join', 'process', 'offload', 'sync', 'other',
];

/** Hues of groups, such that neighbours differ. */
const HUES = [245, 150, 50, 310, 200, 95, 20, 275, 175, 120, 345, 225];

const STORED = 'plait-theme';
let colours = null;

function stored() {
    try {
        return localStorage.getItem(STORED);
    } catch {
        return null; // a page from disk may have no storage
    }
}

/** Whether the page is dark: by the button when it was used, else as the system says. */
function isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/** Applies the theme of an earlier visit and calls back whenever it changes. */
export function watchTheme(changed) {
    const before = stored();
    if (before === 'dark' || before === 'light') {
        document.documentElement.dataset.theme = before;
    }
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
        colours = null;
        changed();
    });
}

export function toggleTheme() {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    colours = null;
    try {
        localStorage.setItem(STORED, theme);
    } catch { /* kept for this visit only */ }
}

/** The colours of the page as it is now. */
export function palette() {
    if (colours) {
        return colours;
    }
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    const dark = isDark();
    colours = {
        dark,
        background: read('canvas'), raised: read('canvas-raised'), line: read('line'), strong: read('line-strong'),
        text: read('text'), faint: read('text-faint'), accent: read('accent'), select: read('select'),
        flow: read('flow'), hit: read('hit'), onState: read('on-state'),
        states: Object.fromEntries(STATE_COLOURS.map((key) => [key, read(`s-${key}`)])),
        groups: HUES.map((hue) => `oklch(${dark ? '0.66 0.105' : '0.80 0.09'} ${hue})`),
        groupLines: HUES.map((hue) => `oklch(${dark ? '0.78 0.11' : '0.52 0.12'} ${hue})`),
        onGroup: dark ? '#0d1013' : '#16202a',
    };
    return colours;
}

/** The colour of a state of the recording; `look` names the family of its cause. */
export function stateColour(state) {
    const { states } = palette();
    return states[state.look] ?? states.other;
}

export function groupColour(group) {
    const { groups } = palette();
    return groups[group % groups.length];
}
