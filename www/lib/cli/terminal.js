/**
 * What reaches the terminal: results on the standard output, everything else on the error output. Tables are aligned, progress is a line
 * that is written over on a terminal and a few plain lines elsewhere.
 */

/** Lines of a job that is not watched on a terminal: one for each share of this many percent. */
const PLAIN_STEP = 10;

/** Milliseconds between two changes of the line. */
const REDRAWN = 100;

export class Terminal {
  #shown = '';
  #last = 0;
  #steps = 0;

  /** @param {{stdout: {write(text: string): any}, stderr: {write(text: string): any, isTTY?: boolean, columns?: number}}} streams */
  constructor({ stdout, stderr }) {
    this.out = stdout;
    this.err = stderr;
  }

  /** Nobody reads one of the two any more. @param {'out' | 'err'} which */
  mute(which) {
    this[which] = { write: () => {} };
  }

  /** A result. @param {string} text */
  print(text) {
    this.clear();
    this.out.write(`${text}\n`);
  }

  /** A result for machines. @param {unknown} value */
  json(value) {
    this.print(JSON.stringify(value, unbounded, 2));
  }

  /** A remark. @param {string} text */
  say(text) {
    this.clear();
    this.err.write(`${text.split('\n').map(brief).join('\n')}\n`);
  }

  /** Takes the line of progress away. */
  clear() {
    if (this.#shown !== '') this.err.write(`\r${' '.repeat(this.#shown.length)}\r`);
    this.#shown = '';
  }

  /**
   * A job's progress.
   * @param {string} what
   * @param {number} done bytes
   * @param {number} total
   * @param {number} seconds since it began
   * @param {string} [unit] of what is counted, where it is not bytes
   */
  progress(what, done, total, seconds, unit) {
    const share = total === 0 ? 1 : done / total;
    const now = Date.now();
    if (this.err.isTTY) {
      if (now - this.#last < REDRAWN && share < 1) return;
      this.#last = now;
      this.#draw(line(what, done, total, share, seconds, unit), share);
      return;
    }
    const step = Math.floor((share * 100) / PLAIN_STEP);
    // A short job has nothing to say meanwhile.
    if (step <= this.#steps || seconds < 1) return;
    this.#steps = step;
    this.err.write(`${line(what, done, total, share, seconds, unit)}\n`);
  }

  /** The next job begins. */
  restart() {
    this.#steps = 0;
    this.#last = 0;
  }

  /** @param {string} text @param {number} share */
  #draw(text, share) {
    const width = Math.max(20, (this.err.columns ?? 80) - 1);
    const room = Math.min(30, width - text.length - 3);
    const full = Math.round(share * room);
    const bar = room < 8 ? '' : `[${'#'.repeat(full)}${' '.repeat(room - full)}] `;
    const next = `${bar}${text}`.slice(0, width);
    this.err.write(`\r${next.padEnd(this.#shown.length)}`);
    this.#shown = next;
  }
}

/**
 * @param {string} what
 * @param {number} done
 * @param {number} total
 * @param {number} share
 * @param {number} seconds
 * @param {string} [unit]
 */
function line(what, done, total, share, seconds, unit) {
  const name = plain(what);
  const speed = done / Math.max(seconds, 1e-3);
  const left = speed > 0 ? (total - done) / speed : Infinity;
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  if (unit) return `${percent}  ${done} of ${total} ${unit}  ${duration(left)} left  ${name}`;
  return `${percent}  ${bytes(done)} of ${bytes(total)}  ${bytes(speed)}/s  ${duration(left)} left  ${name}`;
}

/** JSON has no number for what is without error. @param {string} _ @param {unknown} value */
function unbounded(_, value) {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Bytes for people, three digits. @param {number} n */
export function bytes(n) {
  for (const [unit, size] of /** @type {const} */ ([
    ['TB', 1e12],
    ['GB', 1e9],
    ['MB', 1e6],
    ['KB', 1e3],
  ])) {
    if (n >= size * 0.9995) return `${(n / size).toPrecision(3)} ${unit}`;
  }
  return `${Math.round(n)} B`;
}

/** A number of things in words: "1 tensor", "2,000 tensors". @param {number} n @param {string} thing */
export function counted(n, thing) {
  return `${n.toLocaleString('en')} ${thing}${n === 1 ? '' : 's'}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** @param {number | null} db */
export function decibels(db) {
  if (db === null) return '';
  return Number.isFinite(db) ? db.toFixed(2) : db > 0 ? 'exact' : '−∞';
}

/** Text of strangers' files without what would steer a terminal. @param {string} text */
export function plain(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD');
}

/** A line that is read by people: a name may be as long as a file. */
const LINE = 1000;

/** @param {string} line */
function brief(line) {
  const text = plain(line);
  return text.length <= LINE ? text : `${text.slice(0, LINE * 0.6)}…${text.slice(-LINE * 0.4)}`;
}

/**
 * Rows of cells under a head; columns whose head begins with `>` stand to the right.
 * @param {string[]} head
 * @param {string[][]} rows
 */
export function table(head, rows) {
  const right = head.map((cell) => cell.startsWith('>'));
  const all = [head.map((cell) => cell.replace(/^>/, '')), ...rows.map((row) => row.map(plain))];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const aligned = (/** @type {string} */ cell, /** @type {number} */ i) =>
    right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]);
  return all.map((row) => row.map(aligned).join('  ').trimEnd()).join('\n');
}
