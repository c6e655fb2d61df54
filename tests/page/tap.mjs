// Cases and their report (TAP), for the tests of the page that node runs.
import { execFile } from 'node:child_process';

const cases = [];

/** A case: its name says what holds when it passes. */
export function test(name, act) {
    cases.push({ name, act });
}

export function check(condition, what) {
    if (!condition) {
        throw new Error(what);
    }
}

export function equal(actual, expected, what) {
    if (actual !== expected) {
        throw new Error(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
    }
}

export function near(actual, expected, tolerance, what) {
    if (!(Math.abs(actual - expected) <= tolerance)) {
        throw new Error(`${what}: ${actual} instead of ${expected} (up to ${tolerance} off)`);
    }
}

/** Runs all cases, one after the other, and ends the process. */
export async function run(finish = async () => {}) {
    console.log(`1..${cases.length}`);
    let failed = 0;
    for (let i = 0; i < cases.length; i++) {
        const { name, act } = cases[i];
        try {
            await act();
            console.log(`ok ${i + 1} - ${name}`);
        } catch (error) {
            failed++;
            console.log(`not ok ${i + 1} - ${name}`);
            console.log((error.stack ?? String(error)).split('\n').slice(0, 12).map((line) => `# ${line}`).join('\n'));
        }
    }
    await finish();
    process.exitCode = failed ? 1 : 0;
}

/** Runs a program to its end: {status, stdout, stderr}. */
export function execute(program, args, environment = {}) {
    return new Promise((resolve) => {
        execFile(program, args, { env: { ...process.env, ...environment }, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
            resolve({ status: error ? error.code ?? 1 : 0, stdout, stderr });
        });
    });
}
