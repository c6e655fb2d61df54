// Reads the data block of the page: tables of columns, each table a zlib stream written in base64 into a script element.
// docs/internals/trace-page.md describes the form; tools/trace/page_table.c writes it.

const BYTES = 0;
const VARINT = 1;
const DELTA = 2;

/** The bytes that a base64 text stands for. */
function fromBase64(text) {
    if (typeof Uint8Array.fromBase64 === 'function') {
        return Uint8Array.fromBase64(text);
    }
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) {
        bytes[i] = binary.charCodeAt(i);
    }
    return bytes;
}

/** Inflates a zlib stream. */
export async function inflate(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}

function allocate(width, rows) {
    switch (width) {
    case 1: return new Uint8Array(rows);
    case 4: return new Uint32Array(rows);
    case 8: return new Float64Array(rows);
    default: throw new Error(`a column has elements of ${width} bytes`);
    }
}

// A varint may have more than 32 bits, which only multiplication keeps: the first four bytes are read by shifts.
function readColumn(bytes, from, to, encoding, column) {
    let at = from;
    let previous = 0;
    for (let row = 0; row < column.length; row++) {
        let byte = bytes[at++];
        let value = byte & 0x7f;
        if (byte > 0x7f) {
            byte = bytes[at++];
            value |= (byte & 0x7f) << 7;
            if (byte > 0x7f) {
                byte = bytes[at++];
                value |= (byte & 0x7f) << 14;
                if (byte > 0x7f) {
                    byte = bytes[at++];
                    value |= (byte & 0x7f) << 21;
                    for (let scale = 2 ** 28; byte > 0x7f; scale *= 128) {
                        byte = bytes[at++];
                        value += (byte & 0x7f) * scale;
                    }
                }
            }
        }
        if (encoding === DELTA) {
            const half = Math.floor(value / 2);
            previous += value % 2 ? -half - 1 : half;
            value = previous;
        }
        column[row] = value;
    }
    if (at !== to) {
        throw new Error(`a column ends at byte ${at} instead of ${to}`);
    }
}

/** Decodes one table: {rows, <column name>: typed array ...}. */
export function readTable(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const table = { rows: view.getUint32(0, true) };
    const count = view.getUint32(4, true);
    const columns = [];
    let at = 8;
    for (let i = 0; i < count; i++) {
        const length = bytes[at];
        const name = new TextDecoder().decode(bytes.subarray(at + 1, at + 1 + length));
        at += 1 + length;
        columns.push({ name, encoding: bytes[at], width: bytes[at + 1], size: view.getUint32(at + 2, true) });
        at += 6;
    }
    for (const { name, encoding, width, size } of columns) {
        if (encoding === BYTES) {
            table[name] = bytes.subarray(at, at + size);
        } else if (encoding === VARINT || encoding === DELTA) {
            table[name] = allocate(width, table.rows);
            readColumn(bytes, at, at + size, encoding, table[name]);
        } else {
            throw new Error(`column ${name} is encoded in an unknown way (${encoding})`);
        }
        at += size;
    }
    return table;
}

async function readText(element) {
    return inflate(fromBase64(element.textContent.trim()));
}

/** Reads the tables of a document: {meta, <table name>: table ...}. */
export async function readBlock(document) {
    const elements = [...document.querySelectorAll('script[data-table]')];
    const block = {};
    await Promise.all(elements.map(async (element) => {
        const bytes = await readText(element);
        const name = element.dataset.table;
        block[name] = name === 'meta' ? JSON.parse(new TextDecoder().decode(bytes)) : readTable(bytes);
        element.textContent = '';
    }));
    return block;
}
