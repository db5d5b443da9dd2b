/**
 * Keeps the engine's planning, measuring and shrinking in step with the Shrink room's state, as session.js does for Explore. A job goes on
 * whichever room is shown.
 */
import { runnable } from '../lib/shrink/runnable.js';
import { targetsOf } from '../lib/shrink/targets.js';
import { fromQuery, toQuery } from './address.js';
import { guard, pickFolder, problemOf, speedometer } from './job-tools.js';
import * as change from './state.js';
import { setInputs, setWeighing, weighingOf } from './weighing-state.js';

/**
 * @typedef {import('../types.js').State} State
 * @typedef {import('./state.js').Shrink} Shrink
 * @typedef {import('./state.js').Job} Job
 * @typedef {import('./state.js').Plan} Plan
 */

/** Names that are sent to be measured at once. */
const BATCH = 64;

export class ShrinkSession {
  /**
   * @param {import('../store.js').Store} store
   * @param {import('../session.js').Session} session
   * @param {import('../engine/client.js').EngineClient} client
   */
  constructor(store, session, client) {
    this.store = store;
    this.session = session;
    this.client = client;
    /** What was planned last. */
    this.asked = '';
    /** The address that this room wrote or read last. @type {string | null} */
    this.query = null;
    this.planning = false;
    this.measuring = false;
    this.placed = -1;
    /** @type {AbortController | null} */
    this.running = null;
    /** @type {AbortController | null} */
    this.surveying = null;
    /** @type {AbortController | null} */
    this.retraining = null;
    /** What has been measured: models and formats. @type {Set<string>} */
    this.surveys = new Set();
    /** Models that were run to find what their errors count, and on which version of their inputs. @type {Map<number, number>} */
    this.weighed = new Map();
    /** What was chosen last by running the model. */
    this.chosen = '';
    /** What is being chosen so. @type {{key: string, stop: AbortController} | null} */
    this.choosing = null;
    /** @type {AbortController | null} */
    this.trying = null;
    this.ranged = '';
    store.subscribe((state) => this.follow(state));
    guard(
      store,
      ({ shrink }) => shrink?.job?.state === 'running' || (shrink?.job?.state === 'done' && !shrink.job.saved),
    );
    this.follow(store.state);
  }

  /** @param {State} state @returns {void} */
  follow(state) {
    if (state.room !== 'shrink' || !state.model || state.fatal || state.catalogue.length === 0) return;
    if (state.shrinkQuery !== this.query) return this.#read(state);
    const choice = change.fitted(state);
    if (choice && JSON.stringify(choice) !== JSON.stringify(state.shrink?.choice)) {
      return this.store.update((s) => change.choose(s, choice));
    }
    const query = choice ? toQuery(choice) : '';
    if (query !== state.shrinkQuery) {
      this.query = query;
      this.store.update((s) => ({ ...s, shrinkQuery: query }));
    }
    this.#outdated(state);
    this.#plan();
    this.#measure();
    this.#place();
    this.#range();
  }

  /** What is chosen for something else than what is asked for now is given up. @param {State} state */
  #outdated({ model, shrink }) {
    const { choosing } = this;
    if (choosing && (!model || !shrink || choosing.key !== askedKey(model, change.optionsOf(shrink.choice)))) {
      choosing.stop.abort();
    }
  }

  /** The address says what to choose. @param {State} state @returns {void} */
  #read(state) {
    const query = state.shrinkQuery;
    this.query = query;
    if (query === '' && state.shrink) return this.follow(state);
    const { tensors } = change.shrinkOf(state).choice;
    const found = fromQuery(query);
    // Many tensors chosen by hand are not in the address.
    const hand = Object.keys(found.tensors).length > 0 ? found.tensors : tensors;
    this.store.update((s) => change.choose(s, query === '' ? {} : { ...found, tensors: hand }));
  }

  /** One plan at a time; what is asked for by then is looked at afresh after each. */
  async #plan() {
    if (this.planning) return;
    this.planning = true;
    try {
      for (;;) {
        const { model, shrink } = this.store.state;
        if (!model || !shrink || shrink.choice.to === '' || shrink.job) return;
        const options = change.optionsOf(shrink.choice);
        const key = JSON.stringify([model.id, options, weighingOf(this.store.state).version]);
        if (key === this.asked) return;
        this.asked = key;
        if (await this.#surveyed(model, shrink.choice, options)) await this.#planOnce(model, shrink.choice, options);
      }
    } finally {
      this.planning = false;
    }
  }

  /**
   * @param {import('../types.js').Model} model
   * @param {import('./state.js').Choice} choice
   * @param {any} options
   */
  async #planOnce(model, choice, options) {
    const started = performance.now();
    try {
      const answer = await this.client.call('shrink-plan', { options });
      const plan = change.planFrom(answer, model, choice, performance.now() - started);
      performance.measure('fewerbits:plan', { start: started });
      this.store.update((s) => (s.model?.id === model.id ? change.setShrink(s, { plan, problem: null }) : s));
    } catch (error) {
      if (/** @type {any} */ (error).code === 'not_ready') return this.#anew();
      const problem = problemOf(error, 'plan');
      this.store.update((s) => (s.model?.id === model.id ? change.setShrink(s, { problem, ...others(s, model) }) : s));
    }
  }

  /** A worker that took a dead one's place has measured and run nothing: that comes first then. */
  #anew() {
    this.surveys.clear();
    this.weighed.clear();
    this.chosen = '';
    this.asked = '';
  }

  /**
   * Sees to it that what a size needs has been measured. Meanwhile the size may have been moved: then the plan is looked at afresh.
   * @param {import('../types.js').Model} model
   * @param {import('./state.js').Choice} choice
   * @param {any} options
   * @returns {Promise<boolean>} whether a plan can be made of this choice
   */
  async #surveyed(model, choice, options) {
    const key = surveyKey(model, choice);
    if (choice.targetBytes === null) return true;
    const { version } = weighingOf(this.store.state);
    if (choice.isWeighed && this.weighed.get(model.id) !== version) return this.#weigh(model, version);
    if (this.surveys.has(key)) {
      const isHere = !choice.isChosen || this.chosen === askedKey(model, options);
      return isHere || this.#choose(model, choice, options);
    }
    const stop = new AbortController();
    this.surveying = stop;
    const show = (/** @type {Shrink['survey']} */ survey) => this.store.update((s) => change.setShrink(s, { survey }));
    show({ done: 0, total: 0, read: 0 });
    try {
      await this.client.call('shrink-survey', { options }, { signal: stop.signal, onProgress: show });
      this.surveys.add(key);
    } catch (error) {
      // Without it there is no plan for a size: the choice before stands.
      const problem = stop.signal.aborted ? null : problemOf(error, 'plan');
      if (this.store.state.model?.id === model.id) {
        this.store.update((s) => change.setShrink(change.aimAt(s, null), { problem }));
      }
    } finally {
      this.surveying = null;
      show(null);
      this.asked = '';
    }
    return false;
  }

  /**
   * Runs the model to find what its errors count; where that cannot be, they count by their roles again.
   * @param {import('../types.js').Model} model
   * @param {number} version of what it is run on
   * @returns {Promise<false>} the plan is looked at afresh
   */
  async #weigh(model, version) {
    try {
      if (runnable(model) === 'onnx') await this.#weighOnnx(model);
      else await this.#runModel('weights', 'shrink-weights', { images: sample('digits-training') });
      this.weighed.set(model.id, version);
    } catch (error) {
      const problem = /** @type {any} */ (error).code === 'aborted' ? null : problemOf(error, 'weigh');
      if (this.store.state.model?.id === model.id) {
        // Without weights there is a plan too: what went wrong stays in sight beside it.
        this.store.update((s) => setWeighing(change.choose(s, { isWeighed: false }), { problem }));
      }
    }
    this.asked = '';
    return false;
  }

  /**
   * Runs the model under recipes of this size. The plan by cost is shown meanwhile, and stays where nothing can be run.
   * @param {import('../types.js').Model} model
   * @param {import('./state.js').Choice} choice
   * @param {any} options
   * @returns {Promise<boolean>} whether the plan is there
   */
  async #choose(model, choice, options) {
    const isShown = () => this.store.state.model?.id === model.id && this.store.state.shrink?.choice === choice;
    const byCost = { ...choice, isChosen: false };
    const { plan } = change.shrinkOf(this.store.state);
    const isOf = (/** @type {Plan} */ of) => JSON.stringify(of.choice) === JSON.stringify(byCost);
    if (plan?.modelId !== model.id || !isOf(plan)) await this.#planOnce(model, byCost, change.optionsOf(byCost));
    if (!isShown()) return false;
    const stop = new AbortController();
    const key = askedKey(model, options);
    this.choosing = { key, stop };
    try {
      await this.#runModel('choice', 'shrink-choose', { options, images: sample('digits-training') }, stop);
      this.chosen = key;
    } catch (error) {
      if (/** @type {any} */ (error).code === 'not_ready') {
        this.#anew();
        return false;
      }
      const problem = stop.signal.aborted ? null : problemOf(error, 'plan');
      this.asked = '';
      if (isShown()) this.store.update((s) => change.setShrink(change.choose(s, { isChosen: false }), { problem }));
      return false;
    } finally {
      this.choosing = null;
    }
    return true;
  }

  /** @param {import('../types.js').Model} model */
  async #weighOnnx(model) {
    const stop = new AbortController();
    this.trying = stop;
    const show = (/** @type {import('../weighing.js').Progress} */ progress) => {
      // Another model was opened meanwhile.
      if (this.store.state.model?.id !== model.id) return stop.abort();
      if (progress.stage === 'inputs') return this.store.update((s) => setWeighing(s, { about: progress.about }));
      this.store.update((s) => change.setShrink(s, { running: { what: 'weights', ...progress } }));
    };
    show({ stage: 'reading', done: 0, total: 0 });
    this.store.update((s) => setWeighing(s, { problem: null }));
    try {
      const { weigh } = await import('../weighing.js');
      const { settings } = weighingOf(this.store.state);
      const weights = await weigh(this.client, settings, { signal: stop.signal, onProgress: show });
      await this.client.call('shrink-weights', { weights }, { signal: stop.signal });
    } finally {
      this.trying = null;
      this.store.update((s) => change.setShrink(s, { running: null }));
    }
  }

  /** Arrays from files become inputs of the model that is weighed. @param {File[]} files */
  async giveInputs(files) {
    try {
      const found = await this.client.call('shrink-arrays', { files });
      this.store.update((s) => setInputs(s, { given: { ...weighingOf(s).settings.given, ...found } }));
    } catch (error) {
      this.store.update((s) => setWeighing(s, { problem: problemOf(error, 'weigh') }));
    }
  }

  /** Runs the model as planned, beside the float one. */
  async tryPlan() {
    const { model, shrink } = this.store.state;
    const plan = shrink?.plan;
    if (!model || !plan || this.trying) return;
    try {
      const payload = { modelId: model.id, options: change.optionsOf(plan.choice), images: sample('digits-heldout') };
      const found = await this.#runModel('trial', 'shrink-trial', payload);
      this.store.update((s) => change.setShrink(s, { trial: { plan: plan.id, found } }));
    } catch (error) {
      if (/** @type {any} */ (error).code === 'aborted' || this.store.state.model?.id !== model.id) return;
      this.store.update((s) => change.setShrink(s, { problem: problemOf(error, 'shrink') }));
    }
  }

  stopRunning() {
    this.trying?.abort();
  }

  /** @param {'weights' | 'trial' | 'choice'} what @param {string} type @param {any} payload @param {AbortController} [stop] */
  async #runModel(what, type, payload, stop = new AbortController()) {
    this.trying = stop;
    const show = (/** @type {any} */ { done, total }) =>
      this.store.update((s) => change.setShrink(s, { running: { what, done, total } }));
    show({ done: 0, total: 0 });
    try {
      return await this.client.call(type, payload, { signal: stop.signal, onProgress: show });
    } finally {
      this.trying = null;
      this.store.update((s) => change.setShrink(s, { running: null }));
    }
  }

  /** Measuring is given up, and with it the size. */
  stopSurvey() {
    this.surveying?.abort();
  }

  /** The sizes that can be aimed at, from headers. */
  async #range() {
    const { model, shrink } = this.store.state;
    const plan = shrink?.plan;
    if (!model || !shrink || shrink.job) return;
    // A size out of reach has no plan, and needs to know the more what can be reached.
    if (plan ? plan.modelId !== model.id || plan.to !== shrink.choice.to : shrink.choice.targetBytes === null) return;
    const key = surveyKey(model, shrink.choice);
    if (key === this.ranged) return;
    this.ranged = key;
    try {
      const range = await this.client.call('shrink-range', { options: change.optionsOf(shrink.choice) });
      this.store.update((s) => (s.model?.id === model.id ? change.setShrink(s, { range: { key, ...range } }) : s));
    } catch {
      this.store.update((s) => change.setShrink(s, { range: null }));
    }
  }

  /** What the plan does to each tensor is measured while nothing else is under way, the largest first. */
  async #measure() {
    if (this.measuring) return;
    this.measuring = true;
    try {
      for (;;) {
        const { shrink, room, model } = this.store.state;
        const plan = shrink?.plan;
        if (!shrink || !plan || shrink.job || room !== 'shrink' || plan.modelId !== model?.id) break;
        const wanted = plan.rows.filter(
          (row) => row.scheme !== null && !Object.hasOwn(shrink.damage, row.key) && change.surveyed(row) === null,
        );
        if (wanted.length === 0) break;
        if (!shrink.measuring) this.store.update((s) => change.setShrink(s, { measuring: true }));
        wanted.sort((a, b) => b.before - a.before);
        const keys = new Map(wanted.slice(0, BATCH).map((row) => [row.name, row.key]));
        const found = await this.client.call('shrink-measure', { plan: plan.id, names: [...keys.keys()] });
        // Another plan was made meanwhile: it will be asked for when it is here.
        if (found.length === 0) break;
        const measured = Object.fromEntries(
          found.map((/** @type {any} */ { name, sqnrDb, sampled }) => [keys.get(name), { sqnrDb, sampled }]),
        );
        this.store.update((s) => change.setShrink(s, { damage: { ...change.shrinkOf(s).damage, ...measured } }));
      }
    } catch {
      // Nothing is known then, and the job will find out.
    } finally {
      this.measuring = false;
      if (this.store.state.shrink?.measuring) this.store.update((s) => change.setShrink(s, { measuring: false }));
    }
  }

  /** Where the result will go, so that it can be said beforehand. */
  async #place() {
    const plan = this.store.state.shrink?.plan;
    if (!plan || this.placed >= plan.outputBytes) return;
    this.placed = plan.outputBytes * 2;
    const picked = plan.files.length > 1 ? 'showDirectoryPicker' : 'showSaveFilePicker';
    /** @type {import('./state.js').Place} */
    const place =
      picked in window
        ? plan.files.length > 1
          ? 'folder'
          : 'file'
        : await this.client.call('shrink-place', { bytes: this.placed }).catch(() => 'memory');
    this.store.update((s) => change.setShrink(s, { place }));
  }

  /** Starts the job. Called by a press of the hand: only then a browser shows its picker. */
  async start() {
    const { shrink, model } = this.store.state;
    const plan = shrink?.plan;
    if (!shrink || !plan || !model || plan.modelId !== model.id || shrink.job?.state === 'running') return;
    if (this.store.state.batch?.job?.state === 'running') return;
    const [{ extension }] = targetsOf(model.format).filter(({ to }) => to === plan.to);
    const name = change.outputName(plan, extension);
    const kind = shrink.place ?? 'memory';
    /** @type {any} */
    let handle = null;
    try {
      if (kind === 'file') handle = await pickFile(name);
      if (kind === 'folder') handle = await pickFolder();
    } catch (error) {
      // Nothing was chosen: nothing is begun.
      if (/** @type {Error} */ (error).name !== 'AbortError') {
        this.store.update((s) => change.setShrink(s, { problem: problemOf(error, 'shrink') }));
      }
      return;
    }
    // What is chosen while a picker is open may take long enough for another model to come.
    if (this.store.state.model?.id !== plan.modelId) {
      const problem = problemOf({ code: 'superseded', message: 'another model was opened meanwhile' }, 'shrink');
      return this.store.update((s) => change.setShrink(s, { problem }));
    }
    await this.#run(plan, { kind, handle }, handle?.name ?? name);
  }

  /**
   * @param {Plan} plan
   * @param {{kind: import('./state.js').Place, handle: any}} place
   * @param {string} name
   */
  async #run(plan, place, name) {
    const controller = new AbortController();
    this.running = controller;
    const total = plan.before;
    /** @type {Job} */
    const begun = {
      ...{
        state: 'running',
        place: place.kind,
        plan,
        name,
        started: performance.now(),
        read: 0,
        total,
        written: 0,
        memory: 0,
      },
      ...{ speed: 0, tensor: '', finished: {}, failed: null, problem: null, report: null, made: [], saved: false },
    };
    this.store.update((s) => change.setShrink(s, { job: begun, problem: null, eye: null }));
    const speed = speedometer();
    const onProgress = (/** @type {any} */ { failed, finished, ...rest }) =>
      this.#update(controller, (job) => {
        if (failed !== undefined) return { failed: failed && problemOf(failed, 'shrink') };
        const done = Object.fromEntries(finished.map((/** @type {any} */ x) => [x.name, x.sqnrDb]));
        return { ...rest, speed: speed(rest.read), finished: { ...job.finished, ...done } };
      });
    try {
      const payload = { modelId: plan.modelId, options: change.optionsOf(plan.choice), place };
      const { report, files } = await this.client.call('shrink-run', payload, {
        signal: controller.signal,
        onProgress,
      });
      const finished = Object.fromEntries(report.tensors.map((/** @type {any} */ x) => [x.name, x.sqnrDb]));
      const made = files.map((/** @type {any} */ x) => ({ ...x, name: x.name === '' ? name : x.name }));
      const saved = place.kind === 'file' || place.kind === 'folder';
      this.#update(controller, (job) => ({
        ...{ state: 'done', report, made, finished, saved, failed: null },
        ...{ read: job.total, written: report.outputBytes },
      }));
    } catch (error) {
      if (/** @type {any} */ (error).code === 'aborted') this.#update(controller, null);
      else this.#update(controller, () => ({ state: 'failed', problem: problemOf(error, 'shrink'), failed: null }));
    } finally {
      if (this.running === controller) this.running = null;
    }
  }

  /**
   * @param {AbortController} controller of the job that is meant
   * @param {((job: Job) => Partial<Job>) | null} update null ends it
   */
  #update(controller, update) {
    if (this.running !== controller) return;
    this.store.update((s) => {
      const { job } = change.shrinkOf(s);
      return job ? change.setShrink(s, { job: update && { ...job, ...update(job) } }) : s;
    });
  }

  cancel() {
    this.running?.abort();
  }

  /** @param {'retry' | 'stop'} choice */
  answer(choice) {
    this.client.call('shrink-answer', { choice }).catch(() => {});
  }

  /** A file of the result was handed over. @param {import('./state.js').Made} one */
  saved(one) {
    this.store.update((s) => {
      const { job } = change.shrinkOf(s);
      if (!job) return s;
      const made = job.made.map((file) => (file.file === one.file ? { ...file, isSaved: true } : file));
      return change.setShrink(s, { job: { ...job, made, saved: made.every(({ isSaved }) => isSaved) } });
    });
  }

  /** Back to choosing. What lies in memory is let go; a file in the browser's storage may still be on its way to a download. */
  dismiss() {
    const { job } = change.shrinkOf(this.store.state);
    if (job?.place === 'memory') this.client.call('shrink-forget').catch(() => {});
    this.store.update((s) => change.setShrink(s, { job: null }));
  }

  /** Opens what was written, in Explore. */
  async open() {
    const { job } = change.shrinkOf(this.store.state);
    if (!job || job.made.length === 0) return;
    const files = job.made.map(({ name, file }) =>
      file instanceof File && file.name === name ? file : new File([file], name),
    );
    await this.client.call('shrink-keep').catch(() => {});
    this.store.update((s) => ({ ...change.setShrink(s, { job: null }), room: 'explore' }));
    await this.session.open(files.length === 1 ? files[0] : files, { name: job.name });
  }

  /** Deep Compression of the sample network with retraining, in the engine's thread. */
  async retrain() {
    this.retraining?.abort();
    const controller = new AbortController();
    this.retraining = controller;
    const show = (/** @type {Partial<import('./state.js').Retraining>} */ next) =>
      this.store.update((s) => {
        if (this.retraining !== controller) return s;
        const { retraining } = change.shrinkOf(s);
        const none = { running: null, outcome: null, problem: null };
        return change.setShrink(s, { retraining: { ...(retraining ?? none), ...next } });
      });
    show({ running: { stage: '', done: 0, of: 1, loss: 0 }, problem: null });
    try {
      const models = new URL('models/', document.baseURI).href;
      const outcome = await this.client.call(
        'lesson-retrain',
        { models, whole: true },
        { signal: controller.signal, onProgress: (/** @type {any} */ running) => show({ running }) },
      );
      show({ running: null, outcome });
    } catch (error) {
      const aborted = /** @type {any} */ (error).code === 'aborted';
      show({ running: null, problem: aborted ? null : problemOf(error, 'shrink') });
    } finally {
      if (this.retraining === controller) this.retraining = null;
    }
  }

  stopRetraining() {
    this.retraining?.abort();
  }

  /** Opens the retrained network's container, in Explore. */
  async openRetrained() {
    const file = change.shrinkOf(this.store.state).retraining?.outcome?.file;
    if (!file) return;
    this.store.update((s) => ({ ...s, room: 'explore' }));
    await this.session.open(new File([file], change.RETRAINED), { name: change.RETRAINED });
  }

  /** @param {string} text @param {string} name */
  loadRecipe(text, name) {
    this.store.update((s) => {
      try {
        return change.loadRecipe(s, text);
      } catch (error) {
        return change.setShrink(s, { problem: { ...problemOf(error, 'plan'), file: name } });
      }
    });
  }
}

/** What is measured together. @param {import('../types.js').Model} model @param {import('./state.js').Choice} choice */
const surveyKey = (model, { to, layout, effort }) => JSON.stringify([model.id, to, layout, effort]);

/** A question for a plan. @param {import('../types.js').Model} model @param {any} options */
const askedKey = (model, options) => JSON.stringify([model.id, options]);

/** Where a file of the sample network is. @param {string} name */
const sample = (name) => new URL(`models/${name}.safetensors`, document.baseURI).href;

/** What must not stay shown of another model. @param {State} s @param {import('../types.js').Model} model */
const others = (s, model) => (s.shrink?.plan?.modelId === model.id ? {} : { plan: null });

/** @param {string} suggestedName */
const pickFile = (suggestedName) => /** @type {any} */ (window).showSaveFilePicker({ suggestedName });
