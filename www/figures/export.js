/** Figures as files. What is on the screen is copied, its colours and fonts are written out, and nothing else is asked. */

const WANTED = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'stroke-linejoin',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
  'paint-order',
];

/**
 * A figure as a stand-alone SVG document.
 * @param {import('./figure.js').Figure} figure
 * @param {{title: string, description: string}} about
 */
export function toSvg(figure, about) {
  const picture = figure.picture;
  if (!picture) throw new Error('this figure has nothing drawn yet');
  const copy = /** @type {SVGSVGElement} */ (picture.cloneNode(true));
  if (picture.isConnected) resolveStyles(picture, copy);
  const [, , width, height] = (copy.getAttribute('viewBox') ?? '0 0 300 200').split(' ');
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', width);
  copy.setAttribute('height', height);
  copy.setAttribute('role', 'img');
  const NS = 'http://www.w3.org/2000/svg';
  const paper = document.createElementNS(NS, 'rect');
  paper.setAttribute('width', '100%');
  paper.setAttribute('height', '100%');
  paper.setAttribute('fill', getComputedStyle(figure).getPropertyValue('--p').trim() || '#ffffff');
  const title = document.createElementNS(NS, 'title');
  title.textContent = about.title;
  const description = document.createElementNS(NS, 'desc');
  description.textContent = about.description;
  copy.prepend(title, description, paper);
  for (const element of copy.querySelectorAll('*')) tidy(element);
  tidy(copy);
  return new XMLSerializer().serializeToString(copy).replace(/<!--.*?-->/gs, '');
}

/** @param {Element} element */
function tidy(element) {
  const keep = ['id', 'role', 'xmlns', 'href', 'class'];
  for (const { name } of [...element.attributes]) {
    if (/^(aria-|data-|tabindex$|class$)/.test(name) && !keep.includes(name)) element.removeAttribute(name);
    if (name === 'class') element.removeAttribute(name);
  }
}

/** @param {Element} from @param {Element} to */
function resolveStyles(from, to) {
  const style = getComputedStyle(from);
  for (const name of WANTED) {
    const value = style.getPropertyValue(name);
    if (value && value !== 'normal') to.setAttribute(name, value);
  }
  if (style.clipPath === 'none') to.removeAttribute('clip-path');
  for (let i = 0; i < from.children.length; i++) resolveStyles(from.children[i], to.children[i]);
}

/**
 * The picture made last, or in the making. Browsers let a page save one file for each press of a hand; a picture that is
 * made only after the press comes too late when another press follows at once. So it is made while the hand is on its way.
 * @type {{text: string, blob: Blob | null, making: Promise<Blob>} | null}
 */
let ahead = null;

/**
 * An SVG document as a PNG at twice its size: at once where it was made ahead.
 * @param {string} text
 * @returns {Blob | Promise<Blob>}
 */
export function toPng(text) {
  if (ahead?.text !== text) {
    const next = { text, blob: /** @type {Blob | null} */ (null), making: makePng(text) };
    next.making.then(
      (blob) => (next.blob = blob),
      () => (ahead = ahead === next ? null : ahead),
    );
    ahead = next;
  }
  return ahead.blob ?? ahead.making;
}

/**
 * @param {string} text an SVG document
 * @returns {Promise<Blob>}
 */
async function makePng(text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = image.width * 2;
    canvas.height = image.height * 2;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('no canvas');
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture could not be made'))), 'image/png');
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * Hands a file to the person, as a download.
 * @param {Blob | string} content
 * @param {string} name
 * @param {string} [type]
 */
export function save(content, name, type = 'text/plain') {
  const blob = typeof content === 'string' ? new Blob([content], { type }) : content;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\p{L}\p{N}_.-]+/gu, '_');
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
