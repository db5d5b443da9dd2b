import { html } from 'lit';
import { calmed } from '../../figures/scale.js';
import '../../figures/back-to-back.js';

/**
 * Two distributions back to back, as the lesson's figures show them.
 * @param {{label: string, upper: string, lower: string, reference: any, result: any, levels?: Float32Array | null, runs?: number,
 *   stairs?: any, axis: [number, number], clip?: any, height?: number, log?: boolean, mark?: {value: number, back: number} | null,
 *   moving?: boolean, keeper: import('../../keep.js').Keeper, onRange?: (event: CustomEvent) => void}} about
 */
export function backToBack(about) {
  const { label, upper, lower, reference, result, levels = null, runs = 1, stairs = null, axis, keeper } = about;
  const halves = keeper.keep('halves', [reference, result, upper, lower, levels], () => {
    const calm = calmed(reference);
    return {
      calm,
      upper: { kind: 'float', histogram: calm, raw: reference, label: upper },
      lower: { kind: 'quantized', histogram: result, label: lower, levels, runs },
    };
  });
  return html`<fb-back-to-back
    .label=${label}
    .upper=${halves.upper}
    .lower=${halves.lower}
    .reference=${halves.calm}
    .levels=${levels}
    .stairs=${stairs}
    .axis=${axis}
    .clip=${about.clip ?? null}
    .height=${about.height ?? 300}
    .mark=${about.mark ?? null}
    ?log=${about.log ?? false}
    ?moving=${about.moving ?? false}
    @fb-range=${about.onRange ?? (() => {})}
  ></fb-back-to-back>`;
}
