// Charts as inline SVG. Each states its numbers as text too.

import { h, id, s } from './dom.js';
import { count, money } from './format.js';

const WIDTH = 720;
const HEIGHT = 160;

// Columns over time. `series` are `{ name, tone }`; `columns` are `{ label, values }`, in the order of the series.
export function columnsChart({ title, series, columns }) {
  const most = Math.max(1, ...columns.map(({ values }) => values.reduce((sum, value) => sum + value, 0)));
  const step = WIDTH / columns.length;
  const gap = Math.min(4, step / 4);
  const bars = columns.flatMap(({ label, values }, index) => {
    let top = HEIGHT;
    return values.map((value, at) => {
      const height = (value / most) * (HEIGHT - 12);
      top -= height;
      if (value === 0) return undefined;
      const rectangle = { x: index * step + gap / 2, y: top, width: step - gap, height, rx: 1.5, class: `bar ${series[at].tone}` };
      return s('rect', rectangle, s('title', {}, `${label}: ${count(value)} ${series[at].name}`));
    });
  });
  const sums = series.map(({ name }, at) => `${count(columns.reduce((sum, { values }) => sum + values[at], 0))} ${name}`);
  const picture = framed(`${title}: ${sums.join(', ')}.`, bars);
  return h(
    'figure',
    { class: 'chart' },
    h(
      'figcaption',
      {},
      series.map(({ name, tone }, at) => h('span', { class: 'key' }, h('span', { class: `swatch ${tone}` }), sums[at])),
      h('span', { class: 'quiet' }, `most in a column: ${count(most)}`),
    ),
    picture,
    axis(columns),
  );
}

// Columns of one value each, over time. `columns` are `{ label, value, text }`; `about` describes the chart.
export function levelsChart({ title, columns, about }) {
  const most = Math.max(1, ...columns.map(({ value }) => value));
  // A few columns do not fill the chart.
  const step = WIDTH / Math.max(columns.length, 20);
  const gap = Math.min(4, step / 4);
  const bars = columns.map(({ label, value, text }, index) => {
    const height = (value / most) * (HEIGHT - 12);
    return s('rect', { x: index * step + gap / 2, y: HEIGHT - height, width: step - gap, height, rx: 1.5, class: 'bar good' }, s('title', {}, `${label}: ${text}`));
  });
  return h('figure', { class: 'chart' }, h('figcaption', {}, about), framed(`${title}: ${about}`, bars), axis(columns));
}

const framed = (label, bars) =>
  s(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'columns', role: 'img', 'aria-label': label, preserveAspectRatio: 'none' },
    [0.5, 1].map((part) => {
      const y = HEIGHT - part * (HEIGHT - 12);
      return s('line', { x1: 0, x2: WIDTH, y1: y, y2: y, class: 'rule' });
    }),
    s('line', { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5, class: 'base' }),
    bars,
  );

const axis = (columns) => h('div', { class: 'axis', 'aria-hidden': 'true' }, h('span', {}, columns[0].label), h('span', {}, columns.at(-1).label));

const bar = (share, tone, mark) =>
  s(
    'svg',
    { viewBox: '0 0 100 10', preserveAspectRatio: 'none', class: 'meter', 'aria-hidden': 'true' },
    s('rect', { x: 0, y: 0, width: 100, height: 10, class: 'track' }),
    s('rect', { x: 0, y: 0, width: Math.min(100, Math.max(share > 0 ? 0.7 : 0, 100 * share)), height: 10, class: `bar ${tone}` }),
    mark && s('line', { x1: 100 * mark, x2: 100 * mark, y1: 0, y2: 10, class: 'mark' }),
  );

// Bars with names and numbers. `rows` are `{ name, value, to }`.
export function barsChart({ title, rows, tone }) {
  const most = Math.max(1, ...rows.map(({ value }) => value));
  const name = id('bars');
  return h(
    'table',
    { class: 'bars', 'aria-labelledby': name },
    h('caption', { class: 'unseen', id: name }, title),
    h('thead', { class: 'unseen' }, h('tr', {}, h('th', { scope: 'col' }, 'Cause'), h('th', { scope: 'col' }, 'Share'), h('th', { scope: 'col' }, 'Number'))),
    h(
      'tbody',
      {},
      rows.map(({ name: text, value, to }) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, to ? h('a', { href: `#/${to}` }, text) : text),
          h('td', { class: 'bars-bar' }, bar(value / most, tone)),
          h('td', { class: 'number' }, count(value)),
        ),
      ),
    ),
  );
}

// The spending compared with the threshold.
export function spendingMeter(spent, threshold) {
  const amount = Number(spent ?? 0);
  if (threshold === null || threshold === undefined) return h('span', { class: 'spending' }, money(spent ?? '0'), h('span', { class: 'quiet' }, ' no threshold'));
  const limit = Number(threshold);
  const share = limit > 0 ? amount / limit : 1;
  const tone = share >= 1 ? 'bad' : share >= 0.8 ? 'warn' : 'good';
  return h(
    'span',
    { class: 'spending' },
    h('span', { class: 'spending-text' }, money(spent ?? '0'), h('span', { class: 'quiet' }, ` of ${money(threshold)}`)),
    bar(share, tone),
  );
}
