import { css, html } from 'lit';
import { Live } from '../live.js';

/** Where this page's bytes came from, counted in the window and in the engine's thread. */
export class Requests extends Live {
  static defaults = { again: 0 };

  static words = {
    en: {
      title: 'This page’s own count',
      again: 'Count again',
      outside: 'requests to other places',
      inside: 'files from this site',
      cached: 'kept for use without a network',
      yes: 'yes',
      no: 'not yet: after the first visit',
      told: 'Since it was loaded this page has asked its own site for {inside} files and others for {outside}.',
    },
    zh: {
      title: '本页自己的计数',
      again: '再数一次',
      outside: '发往别处的请求',
      inside: '取自本站的文件',
      cached: '已存好，断网可用',
      yes: '是',
      no: '还没有：第一次访问之后',
      told: '自载入以来，本页向本站取了 {inside} 个文件，向别处取了 {outside} 个。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 130px;
      }
      dl {
        display: grid;
        grid-template-columns: max-content 1fr;
        gap: 4px 20px;
        margin: 0;
        font-size: 16px;
      }
      dd {
        margin: 0;
        font-weight: 600;
      }
      .none {
        font-size: 34px;
        line-height: 1;
      }
      @media (max-width: 480px) {
        dl {
          grid-template-columns: minmax(0, 3fr) minmax(0, 2fr);
        }
      }
    `,
  ];

  /** @param {any} choices */
  question({ again }) {
    return { type: 'requests', again };
  }

  /** @param {any} choices */
  controls({ again }) {
    return html`<button @click=${() => this.set({ again: (again + 1) % 1000 })}>${this.t('again')}</button>`;
  }

  /** @param {string[]} worker */
  stage(worker) {
    const { inside, outside } = sorted(worker);
    return html`<dl>
      <dt>${this.t('outside')}</dt>
      <dd class="none">${outside.length}</dd>
      <dt>${this.t('inside')}</dt>
      <dd>${inside.length}</dd>
      <dt>${this.t('cached')}</dt>
      <dd>${this.t(navigator.serviceWorker?.controller ? 'yes' : 'no')}</dd>
    </dl>`;
  }

  /** @param {string[]} worker */
  told(worker) {
    const { inside, outside } = sorted(worker);
    return this.t('told', { inside: inside.length, outside: outside.length });
  }
}

/** @param {string[]} worker what the engine's thread has asked for */
function sorted(worker) {
  const window = performance.getEntriesByType('resource').map(({ name }) => name);
  const all = [...new Set([...window, ...worker])]
    .map((name) => new URL(name))
    .filter(({ protocol }) => /^https?:$/.test(protocol));
  return {
    inside: all.filter(({ origin }) => origin === location.origin),
    outside: all.filter(({ origin }) => origin !== location.origin),
  };
}

customElements.define('fb-requests', Requests);
