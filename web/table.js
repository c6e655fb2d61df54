// Tables of the panel: sortable, with bars, rows that go somewhere.

/** Makes an element: make('td', {class: 'n'}, 'text', child ...). */
export function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name === 'onclick') {
            element.addEventListener('click', value);
        } else if (value !== undefined && value !== null && value !== false) {
            element.setAttribute(name, value);
        }
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
}

/** A small square in the colour of a state or group. */
export function swatch(colour) {
    const element = make('span', { class: 'swatch', 'aria-hidden': 'true' });
    element.style.background = colour;
    return element;
}

/** A bar of parts: [{colour, share, title}]. */
export function bar(parts) {
    const element = make('div', { class: 'parts', role: 'img', 'aria-label': parts.filter((p) => p.share > 0.001).map((p) => p.title).join(', ') });
    for (const { colour, share, title } of parts) {
        if (share > 0) {
            const part = make('span', { title });
            part.style.background = colour;
            part.style.width = `${share * 100}%`;
            element.append(part);
        }
    }
    return element;
}

function cell(column, row) {
    const content = column.show(row);
    const td = make('td', { class: column.number ? 'n' : column.wide ? 'wide' : undefined });
    td.append(content instanceof Node ? content : String(content));
    return td;
}

/**
 * A table. columns: [{title, show(row), key(row) to sort by, number, wide}]; go(row) is called for a row that is chosen.
 * state keeps the column sorted by between redraws: {by, up}.
 */
export function table(caption, columns, rows, { go, state = {}, most = 200, redraw } = {}) {
    let sorted = rows;
    const by = columns[state.by];
    if (by?.key) {
        sorted = [...rows].sort((a, b) => {
            const x = by.key(a);
            const y = by.key(b);
            const order = x < y ? -1 : x > y ? 1 : 0;
            return state.up ? order : -order;
        });
    }
    const head = make('tr');
    columns.forEach((column, i) => {
        const sortedBy = state.by === i;
        const th = make('th', { scope: 'col', class: column.number ? 'n' : undefined,
            'aria-sort': sortedBy ? (state.up ? 'ascending' : 'descending') : undefined });
        if (column.key && redraw) {
            th.append(make('button', { class: 'sort', onclick: () => {
                state.up = sortedBy ? !state.up : !column.number;
                state.by = i;
                redraw();
            } }, column.title, sortedBy ? (state.up ? ' ↑' : ' ↓') : ''));
        } else {
            th.append(column.title);
        }
        head.append(th);
    });
    const body = make('tbody');
    for (const row of sorted.slice(0, most)) {
        const tr = make('tr', go ? { tabindex: '0', class: 'goes' } : {}, ...columns.map((column) => cell(column, row)));
        if (go) {
            tr.addEventListener('click', () => go(row));
            tr.addEventListener('keydown', (event) => {
                if (event.key === 'Enter') {
                    go(row);
                    event.stopPropagation();
                }
            });
        }
        body.append(tr);
    }
    const element = make('table', {}, make('caption', { class: 'hidden' }, caption), make('thead', {}, head), body);
    if (sorted.length > most) {
        return make('div', {}, element, make('p', { class: 'faint' }, `The first ${most} of ${sorted.length}.`));
    }
    return element;
}
