// Tables whose rows are kept while their data changes, so that the focus and a screen reader keep their position.

import { add, empty, h, replace } from './dom.js';

// `columns` are `{ title, cell(row), class }`; `key(row)` names a row; `nothing` is shown instead of an empty table.
export function table({ caption, columns, key, nothing }) {
  const body = h('tbody');
  const node = h(
    'div',
    { class: 'table', role: 'region', 'aria-label': `${caption}, table`, tabindex: '0' },
    h(
      'table',
      {},
      h('caption', { class: 'unseen' }, caption),
      h('thead', {}, h('tr', {}, columns.map(({ title, class: kind }) => h('th', { scope: 'col', class: kind }, title)))),
      body,
    ),
  );
  const place = h('div', {}, node);
  let known = new Map();

  const row = (data) =>
    h(
      'tr',
      {},
      columns.map(({ cell, class: kind }, index) =>
        add(index === 0 ? h('th', { scope: 'row', class: kind }) : h('td', { class: kind }), cell(data)),
      ),
    );

  function update(rows) {
    if (rows.length === 0) {
      known = new Map();
      // The rows after it, so that the focus is not lost with them.
      replace(place, nothing?.() ?? empty('There is nothing here yet.'));
      body.replaceChildren();
      return;
    }
    if (node.parentNode !== place) replace(place, node);
    const next = new Map();
    for (const data of rows) {
      const text = JSON.stringify(data);
      const name = key(data);
      const old = known.get(name);
      if (old?.text === text) next.set(name, old);
      else {
        const made = { text, line: row(data) };
        const held = old?.line.contains(document.activeElement) ? focusables(old.line).indexOf(document.activeElement) : -1;
        next.set(name, made);
        if (held >= 0) {
          old.line.replaceWith(made.line);
          focusables(made.line)[held]?.focus();
        }
      }
    }
    let isLost = false;
    for (const [name, { line }] of known) {
      if (next.get(name)?.line === line) continue;
      isLost ||= line.contains(document.activeElement);
      line.remove();
    }
    let before = body.firstElementChild;
    for (const { line } of next.values()) {
      if (line === before) before = before.nextElementSibling;
      else body.insertBefore(line, before);
    }
    known = next;
    // The row that had the focus was removed, such as the oldest one when a new one was added.
    if (isLost) node.focus({ preventScroll: true });
  }

  return { node: place, update };
}

// Rows of which some can be equal, the newest first, each with a `key`: its name, and how many older rows have the same one.
export function numbered(rows, name) {
  const seen = new Map();
  const keyed = rows.toReversed().map((row) => {
    const text = name(row);
    seen.set(text, (seen.get(text) ?? 0) + 1);
    return { ...row, key: `${text} ${seen.get(text)}` };
  });
  return keyed.toReversed();
}

const focusables = (line) => [...line.querySelectorAll('a, button')];
