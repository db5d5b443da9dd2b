/**
 * The bridge to the engine's worker. A request is `{id, type, …}`; a reply is `{id, progress | done | error}`.
 *
 * Each call may name a lane. A lane has one request under way and at most one waiting: a newer call takes the waiting
 * place, and the one it pushed out rejects with code `superseded`. So a drag never queues up work. With `preempt` the
 * one under way is aborted too.
 *
 * When the worker dies every pending call rejects with `worker_died`; the next call gets a new worker, in which what
 * was open is opened again first.
 */

/** @typedef {Error & {code: string, file?: string, tensor?: string, offset?: number, expected?: string, found?: string}} CodedError */
/**
 * @typedef {{signal?: AbortSignal, onProgress?: (progress: any) => void, lane?: string, preempt?: boolean}} CallOptions
 * @typedef {{id: number, type: string, payload: any, options: CallOptions, resolve: (value: any) => void,
 *   reject: (error: Error) => void, sent: boolean, detach: () => void}} Call
 */

/**
 * @param {string} code
 * @param {string} message
 * @returns {CodedError}
 */
export function codedError(code, message) {
  return Object.assign(new Error(message), { code });
}

export class EngineClient {
  /** @param {() => Worker} spawn */
  constructor(spawn) {
    this.spawn = spawn;
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {Map<number, Call>} */
    this.pending = new Map();
    /** @type {Map<string, {running: Call, waiting: Call | null}>} */
    this.lanes = new Map();
    /** What a new worker must be told before anything else: the file and the tensor that are open. */
    this.opened = /** @type {{open: any, tensor: any}} */ ({ open: null, tensor: null });
    /** The replay in a new worker, while it is under way. @type {Promise<unknown> | null} */
    this.replay = null;
    /** Files and tensors that were given up when they had been asked for. @type {Map<number, 'open' | 'tensor'>} */
    this.left = new Map();
    /** What the worker has put in the place of what is open, since it was given up too late. @type {'open' | 'tensor' | null} */
    this.astray = null;
    this.next = 1;
    /** @type {(type: string, detail: any) => void} */
    this.onNotice = () => {};
  }

  /**
   * @param {string} type
   * @param {any} [payload]
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(type, payload = {}, options = {}) {
    const { signal, lane } = options;
    if (signal?.aborted) return Promise.reject(codedError('aborted', 'cancelled'));
    return new Promise((resolve, reject) => {
      const abort = () => this.#abort(call);
      /** @type {Call} */
      const call = {
        id: this.next++,
        type,
        payload,
        options,
        resolve,
        reject,
        sent: false,
        detach: () => signal?.removeEventListener('abort', abort),
      };
      signal?.addEventListener('abort', abort);
      this.pending.set(call.id, call);
      const traffic = lane ? this.lanes.get(lane) : undefined;
      if (!lane) {
        this.#send(call);
      } else if (!traffic) {
        this.lanes.set(lane, { running: call, waiting: null });
        this.#send(call);
      } else {
        if (traffic.waiting) this.#settle(traffic.waiting, codedError('superseded', 'a newer request took its place'));
        traffic.waiting = call;
        if (options.preempt) this.#abort(traffic.running, 'superseded');
      }
    });
  }

  /** Whether anything is under way whose type begins so. @param {string} prefix */
  isAt(prefix) {
    return [...this.pending.values()].some(({ type }) => type.startsWith(prefix));
  }

  /** Ends the worker and with it whatever it computes. The next call gets a new one. */
  stop(code = 'aborted', message = 'cancelled') {
    this.worker?.terminate();
    this.#died(code, message);
  }

  /** Sent at once where it can be, so that the worker is busy while the page renders. @param {Call} call */
  #send(call) {
    if (!this.worker) this.#start();
    if (this.replay) this.replay.catch(() => {}).then(() => this.#post(call));
    else this.#post(call);
  }

  /** @param {Call} call */
  #post(call) {
    if (!this.pending.has(call.id)) return;
    if (!this.worker) return this.#settle(call, codedError('worker_died', 'the engine could not be started'));
    call.sent = true;
    this.worker.postMessage({ ...call.payload, id: call.id, type: call.type });
  }

  #start() {
    const worker = this.spawn();
    this.worker = worker;
    worker.onmessage = (event) => this.#receive(event.data);
    worker.onmessageerror = () => this.stop('worker_died', 'a message from the engine could not be read');
    worker.onerror = (event) => {
      event.preventDefault?.();
      if (this.worker === worker) this.stop('worker_died', event.message || 'the engine stopped');
    };
    this.#replay();
  }

  /** Tells the worker what is open. */
  #replay(withModel = true) {
    const { open, tensor } = this.opened;
    if (!open) return;
    const replay = async () => {
      try {
        if (withModel) await this.#direct('open', open);
        if (tensor) await this.#direct('tensor', tensor);
      } finally {
        if (this.replay === begun) this.replay = null;
      }
    };
    const begun = replay();
    begun.catch(() => {});
    this.replay = begun;
  }

  /** Brings the worker back to what is open, unless another file or tensor is on its way. */
  #right() {
    const coming = [...this.pending.values()].some(({ type, sent }) => sent && (type === 'open' || type === 'tensor'));
    if (!this.astray || coming || !this.worker) return;
    const withModel = this.astray === 'open';
    this.astray = null;
    this.#replay(withModel);
  }

  /**
   * A request past lanes and past waiting for the replay, which it is part of.
   * @param {string} type
   * @param {any} payload
   */
  #direct(type, payload) {
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.pending.set(id, { id, type, payload, options: {}, resolve, reject, sent: true, detach: () => {} });
      this.worker?.postMessage({ ...payload, id, type });
    });
  }

  /** @param {any} message */
  #receive(message) {
    if (message.notice) return this.onNotice(message.notice, message.detail);
    const call = this.pending.get(message.id);
    if (message.error?.fatal) {
      const { code, message: text } = message.error;
      return this.stop(code ?? 'worker_died', text);
    }
    if (!call) {
      const type = this.left.get(message.id);
      if ('progress' in message || !type) return;
      this.left.delete(message.id);
      if ('done' in message && this.astray !== 'open') this.astray = type;
      return this.#right();
    }
    if ('progress' in message) return call.options.onProgress?.(message.progress);
    if (message.error) {
      const { message: text, ...facts } = message.error;
      this.#settle(call, Object.assign(new Error(text), facts));
      return this.#right();
    }
    if (call.type === 'open') this.opened = { open: call.payload, tensor: null };
    if (call.type === 'tensor') this.opened.tensor = call.payload;
    if (call.type === 'open' || call.type === this.astray) this.astray = null;
    this.#settle(call, null, message.done);
    this.#right();
  }

  /**
   * @param {Call} call
   * @param {string} [code]
   */
  #abort(call, code = 'aborted') {
    if (!this.pending.has(call.id)) return;
    if (call.sent) {
      this.worker?.postMessage({ id: call.id, type: 'abort' });
      if (call.type === 'open' || call.type === 'tensor') this.left.set(call.id, call.type);
    }
    this.#settle(call, codedError(code, code === 'aborted' ? 'cancelled' : 'a newer request took its place'));
  }

  /**
   * @param {Call} call
   * @param {Error | null} error
   * @param {any} [value]
   */
  #settle(call, error, value) {
    this.pending.delete(call.id);
    call.detach();
    const { lane } = call.options;
    const traffic = lane ? this.lanes.get(lane) : undefined;
    if (lane && traffic?.waiting === call) traffic.waiting = null;
    if (lane && traffic?.running === call) {
      if (traffic.waiting) {
        traffic.running = traffic.waiting;
        traffic.waiting = null;
        this.#send(traffic.running);
      } else {
        this.lanes.delete(lane);
      }
    }
    if (error) call.reject(error);
    else call.resolve(value);
  }

  /**
   * @param {string} code
   * @param {string} message
   */
  #died(code, message) {
    this.worker = null;
    this.replay = null;
    this.left.clear();
    this.astray = null;
    const calls = [...this.pending.values()];
    this.pending.clear();
    this.lanes.clear();
    for (const call of calls) {
      call.detach();
      call.reject(codedError(code, message));
    }
  }
}
