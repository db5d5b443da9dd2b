/**
 * Keeps the engine's work on several models in step with the state: looks at each, plans it as chosen, and shrinks them one after the other.
 * What is open on the page stays open.
 */
import { inTurn } from '../lib/shrink/batch.js';
import { targetsOf } from '../lib/shrink/targets.js';
import * as batch from './batch-state.js';
import { guard, pickFolder, problemOf, speedometer } from './job-tools.js';
import * as change from './state.js';

/**
 * @typedef {import('../types.js').State} State
 * @typedef {import('./batch-state.js').Row} Row
 * @typedef {import('./batch-state.js').Job} Job
 */

export class BatchSession {
  /**
   * @param {import('../store.js').Store} store
   * @param {Pick<import('../session.js').Session, 'open'>} session
   * @param {Pick<import('../engine/client.js').EngineClient, 'call'>} client
   */
  constructor(store, session, client) {
    this.store = store;
    this.session = session;
    this.client = client;
    this.preparing = false;
    /** Models of the list that are being opened. */
    this.opening = 0;
    /** Whether a model of the list was opened, so that the room shows one of them. */
    this.hasOpened = false;
    /** @type {AbortController | null} */
    this.running = null;
    /** The bytes for which a place was asked. */
    this.placed = -1;
    store.subscribe(() => this.follow());
    guard(store, ({ batch: all }) => all !== null && (all.job?.state === 'running' || batch.atStake(all).length > 0));
  }

  /** @param {import('../lib/several.js').Found[]} found */
  add(found) {
    if (!this.store.state.batch) this.hasOpened = false;
    this.store.update((s) => ({ ...batch.add(s, found), room: 'shrink' }));
    this.follow();
  }

  follow() {
    const { state } = this.store;
    if (!state.batch) return;
    if (this.opening === 0) this.store.update(batch.follow);
    this.#prepare();
    this.#place();
  }

  /** One model at a time; what the state asks for by then is looked at afresh after each. */
  async #prepare() {
    if (this.preparing) return;
    this.preparing = true;
    try {
      for (let next = this.#next(); next !== null; next = this.#next()) {
        if (next.choice === null) await this.#look(next.row);
        else await this.#plan(next.row, next.choice);
      }
    } finally {
      this.preparing = false;
    }
  }

  #next() {
    const { state } = this.store;
    return state.batch && !state.fatal ? batch.wanted(state.batch) : null;
  }

  /** @param {Row} row */
  async #look({ id, name, files }) {
    try {
      const { format, tensors } = await this.client.call('shrink-batch-look', { source: sourceOf(files) });
      if (targetsOf(format).length === 0) {
        const facts = { file: name, found: format, expected: 'safetensors' };
        throw Object.assign(new Error(`a model in ${format} cannot be written yet`), { code: 'unsupported', ...facts });
      }
      this.store.update((s) => batch.setRow(s, id, { format, tensors }));
      if (!this.hasOpened) {
        this.hasOpened = true;
        await this.#openFirst(id);
      }
    } catch (error) {
      const problem = { ...problemOf(error, 'shrink'), file: /** @type {any} */ (error).file ?? name };
      this.store.update((s) => batch.setRow(s, id, { state: 'failed', problem }));
    }
  }

  /** The room works on the first that can be read. What nobody chose gives way to what is usual for it. @param {number} id */
  async #openFirst(id) {
    const { model } = this.store.state;
    const { choice } = change.shrinkOf(this.store.state);
    const isChosen = choice.to !== '' && !(model && batch.isUsual(model.format, choice));
    await this.#open(id, isChosen ? choice : null);
  }

  /** Opens a model of the list for a look: the rest of the page works on it, with the choice that it has. @param {number} id */
  look(id) {
    return this.#open(id, null);
  }

  /**
   * @param {number} id
   * @param {import('./state.js').Choice | null} choice that stays; null: the one for the model's format
   */
  async #open(id, choice) {
    const before = this.store.state.model;
    const row = batch.batchOf(this.store.state).rows.find((one) => one.id === id);
    if (!row) return;
    // Meanwhile the room fits its choice to another model: nobody chose that.
    this.opening += 1;
    try {
      await this.session.open(sourceOf(row.files), { name: row.name });
      const { model } = this.store.state;
      if (!model || model === before) return;
      const own = choice ?? batch.choiceFor(batch.batchOf(this.store.state), model.format);
      this.store.update((s) => {
        const opened = s.batch ? batch.setBatch(s, { opened: { row: id, model: model.id } }) : s;
        if (!own) return opened;
        const chosen = change.choose(opened, own);
        return change.choose(chosen, change.fitted(chosen) ?? own);
      });
    } finally {
      this.opening -= 1;
    }
    this.follow();
  }

  /** @param {Row} row @param {import('./state.js').Choice} choice */
  async #plan({ id, name, files }, choice) {
    /** @type {Partial<Row>} */
    let planned;
    try {
      const payload = { source: sourceOf(files), options: change.optionsOf(choice) };
      const outline = await this.client.call('shrink-batch-plan', payload);
      planned = { state: 'planned', outline, problem: null };
    } catch (error) {
      const problem = { ...problemOf(error, 'plan'), file: /** @type {any} */ (error).file ?? name };
      planned = { state: 'failed', outline: null, problem };
    }
    // A batch that was begun meanwhile goes on with what was planned before.
    this.store.update((s) =>
      batch.batchOf(s).job?.state === 'running' ? s : batch.setRow(s, id, { ...planned, choice }),
    );
  }

  /** Where the results will go, so that it can be said beforehand. */
  async #place() {
    const { state } = this.store;
    const all = batch.batchOf(state);
    // One after the other: where there is no room for all, what was saved makes room for what is still to be done.
    const most = Math.max(0, ...all.rows.map(({ outline }) => outline?.outputBytes ?? 0));
    if (most === 0 || all.job || this.placed >= most) return;
    this.placed = most;
    /** @type {import('./state.js').Place} */
    const place =
      'showDirectoryPicker' in globalThis
        ? 'folder'
        : await this.client.call('shrink-place', { bytes: this.placed }).catch(() => 'memory');
    this.store.update((s) => (s.batch ? batch.setBatch(s, { place }) : s));
  }

  /** Starts, or goes on with what is left. Called by a press of the hand: only then a browser shows its picker. */
  async start() {
    const { state } = this.store;
    const { job, place } = batch.batchOf(state);
    const isBusy = this.running !== null || state.shrink?.job?.state === 'running';
    if (isBusy || place === null || batch.left(batch.batchOf(state)).length === 0) return;
    const controller = new AbortController();
    this.running = controller;
    try {
      const handle = job?.handle ?? (place === 'folder' ? await pickFolder() : null);
      await this.#run(controller, job?.place ?? place, handle);
    } catch (error) {
      // Nothing was chosen: nothing is begun.
      if (/** @type {Error} */ (error).name === 'AbortError') return;
      this.store.update((s) => batch.setBatch(s, { problem: problemOf(error, 'shrink') }));
    } finally {
      this.running = null;
    }
    this.follow();
  }

  /**
   * @param {AbortController} controller
   * @param {import('./state.js').Place} place
   * @param {any} handle
   */
  async #run(controller, place, handle) {
    const { signal } = controller;
    const before = batch.batchOf(this.store.state);
    const rows = batch.left(before);
    const names = batch.outputNames(before.rows);
    const total = rows.reduce((sum, { outline }) => sum + (outline?.before ?? 0), 0);
    /** @type {Job} */
    const begun = {
      ...{ state: 'running', place, handle, total, before: 0, written: 0, speed: 0, memory: 0, isCancelled: false },
    };
    this.store.update((s) => batch.setBatch(s, { job: begun, problem: null, shown: null }));
    const speed = speedometer();
    try {
      await inTurn(rows, (row) => this.#one(row, names.get(row.id) ?? row.name, { place, handle, signal, speed }), {
        signal,
        onFailure: (row, _, error) => {
          const problem = { ...problemOf(error, 'shrink'), file: /** @type {any} */ (error).file ?? row.name };
          this.store.update((s) => batch.setRow(s, row.id, { state: 'failed', problem, read: 0, measured: null }));
          this.#behind(-(row.outline?.before ?? 0), 0);
        },
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.client.call('shrink-batch-end').catch(() => {});
      this.store.update((s) => {
        const { job, rows: now } = batch.batchOf(s);
        const stopped = now.map((row) =>
          row.state === 'running' ? { ...row, state: /** @type {const} */ ('planned'), read: 0, measured: null } : row,
        );
        return job
          ? batch.setBatch(s, { job: { ...job, state: 'over', isCancelled: signal.aborted }, rows: stopped })
          : s;
      });
    }
  }

  /**
   * @param {Row} row
   * @param {string} name of what is written
   * @param {{place: import('./state.js').Place, handle: any, signal: AbortSignal, speed: (read: number) => number}} tools
   */
  async #one({ id, files, choice, outline }, name, { place, handle, signal, speed }) {
    const size = outline?.before ?? 0;
    this.store.update((s) => batch.setRow(s, id, { state: 'running', problem: null, read: 0, output: name }));
    const onProgress = (/** @type {any} */ { read, memory, measured }) => {
      if (signal.aborted) return;
      if (measured !== undefined) return this.store.update((s) => batch.setRow(s, id, { measured }));
      this.store.update((s) => batch.setRow(s, id, { read, measured: null }));
      this.#job((job) => ({ memory: Math.max(memory, job.memory), speed: speed(job.before + read) }));
    };
    const payload = {
      ...{ source: sourceOf(files), options: change.optionsOf(/** @type {any} */ (choice)), name, row: id },
      ...{ place: { kind: place, handle }, overwrite: batch.batchOf(this.store.state).overwrite },
    };
    const answer = await this.client.call('shrink-batch-run', payload, { signal, onProgress });
    if (answer.skipped) {
      this.store.update((s) => batch.setRow(s, id, { state: 'skipped', measured: null, read: 0 }));
      return this.#behind(-size, 0);
    }
    const { report, files: written } = answer;
    const made = written.map((/** @type {any} */ x) => ({ ...x, name: x.name === '' ? name : x.name }));
    const known = { outline: outline && { ...outline, notes: answer.notes }, report, made };
    const done = { ...known, state: /** @type {const} */ ('done'), read: 0, measured: null };
    this.store.update((s) => batch.setRow(s, id, done));
    this.#behind(0, size, report.outputBytes);
    this.#job((job) => ({ speed: speed(job.before) }));
  }

  /** A model is behind. @param {number} more in all than was thought @param {number} read @param {number} [written] */
  #behind(more, read, written = 0) {
    this.#job((job) => ({
      total: job.total + more,
      before: job.before + read,
      written: job.written + written,
    }));
  }

  /** @param {(job: Job) => Partial<Job>} update */
  #job(update) {
    this.store.update((s) => {
      const { job } = batch.batchOf(s);
      return job ? batch.setBatch(s, { job: { ...job, ...update(job) } }) : s;
    });
  }

  cancel() {
    this.running?.abort();
  }

  /** All of them once more. What lies in memory or in the browser's storage is let go. */
  anew() {
    this.#forget(batch.batchOf(this.store.state).rows.map(({ id }) => id));
    this.store.update(batch.anew);
    this.placed = -1;
    this.follow();
  }

  /** @param {number} id */
  remove(id) {
    this.#forget([id]);
    this.store.update((s) => batch.remove(s, id));
  }

  /** The list is put away; what is open stays open. */
  close() {
    this.#forget(batch.batchOf(this.store.state).rows.map(({ id }) => id));
    this.placed = -1;
    this.store.update((s) => ({ ...s, batch: null }));
  }

  /** What was saved may still be on its way to a download: it goes when its room is needed. @param {number[]} ids */
  #forget(ids) {
    const { rows } = batch.batchOf(this.store.state);
    const later = rows.filter((row) => batch.unsaved(row).length === 0).map(({ id }) => id);
    this.client.call('shrink-batch-forget', { rows: ids, later }).catch(() => {});
  }

  /** A model that could not be read or planned is looked at again. @param {number} id */
  again(id) {
    this.store.update((s) => batch.again(s, id));
    this.follow();
  }
}

/** What `openModel` takes. @param {import('../lib/several.js').PlacedFile[]} files */
const sourceOf = (files) => (files.length === 1 ? files[0].file : files);
