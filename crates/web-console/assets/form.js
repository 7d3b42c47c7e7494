// Forms: fields with labels, hints and errors, each error at its field.

import { add, button, h, id, notice, replace } from './dom.js';

// `fields` are `{ name, label, kind, hint, value, options, required, rows, wide, when }`. A field is shown while
// `when(values)` holds; `options(values)` are its current options.
export function form({ fields, submit, label, send, extra }) {
  const parts = new Map();
  const status = h('div', { class: 'form-status', 'aria-live': 'polite' });
  const go = h('button', { type: 'submit', class: 'primary' }, submit);
  const node = h('form', { class: 'form', 'aria-label': label, novalidate: true }, fields.map(place), h('div', { class: 'actions wide' }, go, extra), status);

  function place(field) {
    if (field.legend) return h('h3', { class: 'wide' }, field.legend);
    const name = id(field.name);
    const control = make(field, name);
    const error = h('p', { class: 'error', id: `${name}-error` });
    const hint = field.hint && h('p', { class: 'hint', id: `${name}-hint` }, field.hint);
    control.setAttribute('aria-describedby', [hint && `${name}-hint`, `${name}-error`].filter(Boolean).join(' '));
    const text = h('label', { for: name }, field.label, field.required && h('span', { class: 'quiet' }, ' (required)'));
    const whole =
      field.kind === 'check'
        ? h('div', { class: 'field check' }, control, h('div', {}, text, hint, error))
        : h('div', { class: field.wide ? 'field wide' : 'field' }, text, hint, control, error);
    parts.set(field.name, { control, error, field, whole });
    return whole;
  }

  const there = () => [...parts].filter(([, { whole }]) => !whole.hidden);
  const values = () => Object.fromEntries(there().map(([name, { control, field }]) => [name, valueOf(field, control)]));

  // The chosen options decide which fields are shown.
  function adapt() {
    for (const { control, field } of parts.values()) if (typeof field.options === 'function') offer(control, field.options(values()), field.value);
    const now = values();
    for (const { field, whole } of parts.values()) if (field.when) whole.hidden = !field.when(now);
  }
  adapt();
  node.addEventListener('change', adapt);

  function refuse(message) {
    const names = there().map(([name]) => name);
    const rest = message.split('; ').filter((text) => {
      // The first name in the text is that of the field; a body is named together with its member.
      const ways = [(name) => text.startsWith(`\`body\` has a wrong \`${name}\``), (name) => text.startsWith(`${name} `) || text.startsWith(`\`${name}\``), (name) => text.includes(`\`${name}\``)];
      const named = ways.map((way) => names.find(way)).find(Boolean);
      if (!named) return true;
      const { control, error } = parts.get(named);
      control.setAttribute('aria-invalid', 'true');
      replace(error, text.replace(/^(`?)[\w.]+\1 (- )?/, ''));
      return false;
    });
    replace(status, notice('bad', rest.length > 0 ? rest.join('; ') : 'Nothing was changed: see the marked fields.'));
    node.querySelector('[aria-invalid]')?.focus();
  }

  node.addEventListener('submit', async (event) => {
    event.preventDefault();
    for (const { control, error } of parts.values()) {
      control.removeAttribute('aria-invalid');
      error.textContent = '';
    }
    replace(status);
    const missing = there().map(([, part]) => part).filter(({ control, field }) => field.required && control.value.trim() === '');
    for (const { control, error, field } of missing) {
      control.setAttribute('aria-invalid', 'true');
      error.textContent = `Enter ${field.what ?? field.label.toLowerCase()}.`;
    }
    if (missing.length > 0) {
      missing[0].control.focus();
      return;
    }
    go.disabled = true;
    try {
      const said = await send(values());
      if (said) replace(status, said instanceof Node ? said : notice('good', said));
    } catch (error) {
      refuse(error.message);
    } finally {
      go.disabled = false;
      // A disabled button loses the focus.
      if (document.activeElement === document.body) go.focus();
    }
  });
  return { node, values };
}

function make(field, name) {
  const { kind, value, options, rows } = field;
  const common = { id: name, name: field.name, autocomplete: 'off', spellcheck: 'false' };
  if (kind === 'check') return h('input', { ...common, type: 'checkbox', checked: value === true });
  if (kind === 'lines' || kind === 'area') return h('textarea', { ...common, rows: rows ?? 3, value: lined(value) });
  if (kind === 'select') {
    const select = h('select', common);
    if (typeof options === 'function') return select;
    // A stored value that this page does not know is kept.
    const isKnown = !value || options.some(([text]) => text === value);
    offer(select, isKnown ? options : [...options, [value, value]], value);
    return select;
  }
  return h('input', { ...common, type: 'text', inputmode: kind === 'number' ? 'numeric' : undefined, value: value ?? '', required: field.required, placeholder: field.placeholder });
}

// Offers these options, and keeps what was chosen; at first, `value`. Without either, the first one is chosen.
function offer(select, options, value) {
  const kept = select.options.length > 0 ? select.value : value;
  const chosen = options.some(([text]) => text === kept) ? kept : options[0]?.[0];
  if (select.options.length !== options.length || options.some(([text], index) => select.options[index].value !== text)) {
    select.replaceChildren(...options.map(([text, shown]) => h('option', { value: text }, shown)));
  }
  if (chosen !== undefined) select.value = chosen;
}

const lined = (value) => (Array.isArray(value) ? value.join('\n') : (value ?? ''));

function valueOf({ kind, empty = '' }, control) {
  if (kind === 'check') return control.checked;
  const text = control.value.trim();
  if (kind === 'lines') {
    const lines = text.split(/[\s,]+/).filter(Boolean);
    return lines.length > 0 ? lines : empty === null ? null : [];
  }
  if (text === '') return empty;
  if (kind === 'number') return Number.isNaN(Number(text)) ? text : Number(text);
  return text;
}

// A form of filters, which changes the address of the view.
export function filters(label, fields, apply) {
  const controls = fields.map((field) => {
    const name = id(field.name);
    const control = make(field, name);
    if (field.kind === 'select') control.addEventListener('change', () => run());
    return { field, control, node: h('div', { class: 'field' }, h('label', { for: name }, field.label), control) };
  });
  const run = () => apply(Object.fromEntries(controls.map(({ field, control }) => [field.name, control.value.trim()])));
  const node = h('form', { class: 'filters', role: 'search', 'aria-label': label }, controls.map((control) => control.node));
  add(node, [h('button', { type: 'submit' }, 'Filter'), button('Clear', () => apply({}), { class: 'link' })]);
  node.addEventListener('submit', (event) => {
    event.preventDefault();
    run();
  });
  return node;
}
