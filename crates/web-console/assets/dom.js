// Elements. Every text goes into the page as text: nothing here parses markup.

const SVG = 'http://www.w3.org/2000/svg';
// Except for the joiners and selectors that scripts and emoji need.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

// Texts are not trusted: a character that is invisible, or that reorders the text around it, is shown as its code point.
const visible = (text) => text.replaceAll('\r\n', '\n').replace(UNSEEN, (sign) => `\\u${sign.codePointAt(0).toString(16).padStart(4, '0')}`);

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === 'value') element.value = value;
    else if (name === 'checked') element.checked = true;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  add(element, children);
  return element;
}

export function add(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(visible(String(child))));
  }
  return element;
}

export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

const FOCUSABLE = 'a, button, input, select, textarea, summary, [tabindex]';

// Replaces the content of an element. If it has the focus, the focus moves to the same link, or else to the element at the same
// position or the last one; to the heading if none of them can have the focus.
export const replace = (element, ...children) => {
  const held = document.activeElement;
  const isHeld = held !== element && element.contains(held);
  const before = isHeld ? [...element.querySelectorAll(FOCUSABLE)].indexOf(held) : -1;
  const to = isHeld ? held.getAttribute('href') : null;
  element.replaceChildren();
  add(element, children);
  if (isHeld) {
    const now = [...element.querySelectorAll(FOCUSABLE)];
    const same = to === null ? undefined : now.find((one) => one.getAttribute('href') === to);
    (same ?? now[before] ?? now.at(-1) ?? document.querySelector('h1'))?.focus({ preventScroll: true });
  }
  return element;
};

let ids = 0;
export const id = (name) => `${name}-${(ids += 1)}`;

// Announces a text to users of a screen reader.
export const announce = (text) => {
  document.getElementById('announcer').textContent = visible(text);
};

export const pill = (text, tone = 'plain') => h('span', { class: `pill ${tone}` }, text);
export const code = (text) => h('code', {}, text);
export const link = (to, ...children) => h('a', { href: `#/${to}` }, ...children);
export const none = () => h('span', { class: 'none' }, '–');

export const button = (text, handler, properties = {}) =>
  h('button', { type: 'button', ...properties, on: { click: handler } }, text);

export const heading = (title, about, ...actions) =>
  h(
    'div',
    { class: 'head' },
    h('div', {}, h('h1', { tabindex: '-1' }, title), about && h('p', { class: 'about' }, about)),
    actions.length > 0 && h('div', { class: 'actions' }, actions),
  );

export const card = (title, ...children) => {
  const name = id('card');
  return h('section', { class: 'card', 'aria-labelledby': name }, h('h2', { id: name }, title), children);
};

// The content of an empty view: what is missing, and what to do next.
export const empty = (title, ...next) => h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), h('p', {}, next));

export const notice = (tone, ...children) => h('div', { class: `notice ${tone}`, role: tone === 'bad' ? 'alert' : undefined }, children);

export const facts = (pairs) =>
  h(
    'dl',
    { class: 'facts' },
    pairs
      .filter(([, value]) => value !== undefined && value !== null && value !== '')
      .map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );

// Asks for the confirmation of an irreversible action. Resolves to whether it was confirmed.
export const confirmed = (question, about, action) =>
  new Promise((resolve) => {
    const title = id('question');
    const text = id('about');
    const dialog = h(
      'dialog',
      { 'aria-labelledby': title, 'aria-describedby': text },
      h(
        'form',
        { method: 'dialog' },
        h('h2', { id: title }, question),
        h('p', { id: text }, about),
        h(
          'div',
          { class: 'actions' },
          h('button', { value: '', autofocus: true }, 'Keep'),
          h('button', { value: 'yes', class: 'danger' }, action),
        ),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
