// How long the server takes to answer requests, by listener, route and bounds.

import { optional } from '../api.js';
import { columnsChart, levelsChart } from '../chart.js';
import { announce, button, card, code, empty, h, heading, link, none, replace } from '../dom.js';
import { filters } from '../form.js';
import { clock, count, micros, plural } from '../format.js';
import { serverNow } from '../live.js';
import { table } from '../table.js';

const EVERY = 10_000;
// Number of columns over time: ten minutes.
const MOST_SAMPLES = 60;
const SHARE = 0.95;
const LISTENERS = [
  ['api', 'The APIs'],
  ['tokens', 'Tokens'],
  ['control', 'The control API, and this page'],
];

const sum = (numbers) => numbers.reduce((all, number) => all + number, 0);
const shape = ({ route, requests, durations, total_us: total }) => ({
  route,
  number: sum(durations),
  failed: sum(requests.filter(({ status }) => status === '5xx').map((one) => one.count)),
  total,
  durations,
});
const routesOf = (counted, listener) => (counted.listeners.find((one) => one.listener === listener)?.routes ?? []).map(shape);

// The counts since `before`; undefined if the server has restarted counting since.
function later(routes, before) {
  const old = new Map(before.map((one) => [one.route, one]));
  const rest = routes.map((one) => {
    const { number = 0, failed = 0, total = 0, durations = [] } = old.get(one.route) ?? {};
    return { ...one, number: one.number - number, failed: one.failed - failed, total: one.total - total, durations: one.durations.map((value, at) => value - (durations[at] ?? 0)) };
  });
  // A count of any bound that decreased is that of another server.
  const hasGrown = ({ failed, total, durations }) => [failed, total, ...durations].every((value) => value >= 0);
  const isSame = rest.every(hasGrown) && before.every(({ route }) => routes.some((one) => one.route === route));
  return isSame ? rest.filter(({ number }) => number > 0) : undefined;
}

// The index of the bound within which a share of the requests was answered.
function placeOf(durations, share) {
  const wanted = share * sum(durations);
  let seen = 0;
  return durations.findIndex((number) => (seen += number) >= wanted);
}

const boundAt = (bounds, at) => (at < bounds.length ? `≤ ${micros(bounds[at])}` : `> ${micros(bounds.at(-1))}`);
const within = (durations, bounds, share) => boundAt(bounds, placeOf(durations, share));

const sums = (routes, length) => Array.from({ length }, (_, at) => sum(routes.map((one) => one.durations[at])));

function chartOf(routes, bounds, title) {
  const durations = sums(routes, bounds.length + 1);
  const columns = durations.map((value, at) => ({ label: boundAt(bounds, at), values: [value] }));
  const shares = [[0.5, 'half'], [0.95, '95 %'], [0.99, '99 %']].map(([share, name]) => `${name} within ${within(durations, bounds, share).replace('≤ ', '')}`);
  return [h('p', { class: 'quiet' }, `Of ${plural(sum(durations), 'request')}, ${shares.join(', ')}.`), columnsChart({ title, series: [{ name: 'requests', tone: 'good' }], columns })];
}

// The chart of the API's latency, as a part of another view.
export function showLatency(place, counted) {
  if (!counted) return replace(place, empty('This server counts no requests.', 'It does with a listener for the control API or for metrics.'));
  const routes = routesOf(counted, 'api');
  if (routes.length === 0) return replace(place, empty('No request has come to the API yet.', 'The time to answer requests is shown here. ', link('latency', 'Other listeners')));
  return replace(place, chartOf(routes, counted.bounds_us, 'Requests to the API by how long they took'), h('p', {}, link('latency', 'By route')));
}

export const latency = {
  path: 'latency',
  title: 'Latency',
  show({ params, go, again }) {
    const listener = params.listener || 'api';
    const chart = h('div');
    const recent = h('div');
    let counted;
    let samples = [];
    // The counts that were read last.
    let previous;
    // The counts that are subtracted from later ones.
    let from;
    const rows = table({
      caption: 'Routes, the most requested first',
      key: (one) => one.route,
      nothing: () => empty('No request has come yet.', 'Routes are shown from their first request on.'),
      columns: [
        { title: 'Route', cell: (one) => code(one.route) },
        { title: 'Requests', class: 'number', cell: (one) => count(one.number) },
        { title: 'Failed (5xx)', class: 'number', cell: (one) => (one.failed > 0 ? h('span', { class: 'check-name' }, count(one.failed)) : none()) },
        { title: 'Mean', class: 'number', cell: (one) => micros(Math.round(one.total / one.number)) },
        { title: 'Half within', class: 'number', cell: (one) => within(one.durations, one.bounds, 0.5) },
        { title: '95 % within', class: 'number', cell: (one) => within(one.durations, one.bounds, 0.95) },
        { title: '99 % within', class: 'number', cell: (one) => within(one.durations, one.bounds, 0.99) },
      ],
    });

    function show() {
      const all = routesOf(counted, listener);
      const since = from && later(all, from);
      // After a restart the earlier counts do not apply.
      if (from && !since) countFrom(undefined);
      const routes = since ?? all;
      const bounds = counted.bounds_us;
      if (routes.length === 0) replace(chart, empty('No request has come yet.', 'Each one is counted when it is answered.'));
      else replace(chart, chartOf(routes, bounds, 'Requests by how long they took'));
      rows.update(routes.sort((one, other) => other.number - one.number).map((one) => ({ ...one, bounds })));
    }

    // Adds the requests since the last read.
    function sample(routes, bounds) {
      const since = previous && later(routes, previous);
      if (previous && !since) samples = [];
      previous = routes;
      if (!since) return;
      const durations = sums(since, bounds.length + 1);
      const number = sum(durations);
      const at = number > 0 ? placeOf(durations, SHARE) : 0;
      // Values above all bounds are drawn as twice the last bound.
      const value = number === 0 ? 0 : (bounds[at] ?? 2 * bounds.at(-1));
      samples = [...samples, { label: clock(serverNow()), value, text: number === 0 ? 'no request' : `${plural(number, 'request')}, 95 % ${boundAt(bounds, at)}` }].slice(-MOST_SAMPLES);
    }

    function showRecent() {
      if (samples.length === 0) replace(recent, h('p', { class: 'quiet' }, 'Columns are shown from the next read on: they are computed while this page is open.'));
      else replace(recent, levelsChart({ title: 'Within what time 95 % of the requests were answered', columns: samples, about: `Since the previous read: ${samples.at(-1).text}.` }));
    }

    async function refresh() {
      const found = await optional('/request_counts');
      if (!found) {
        showLatency(chart);
        return;
      }
      counted = found;
      sample(routesOf(counted, listener), counted.bounds_us);
      show();
      showRecent();
    }

    function countFrom(routes) {
      from = routes;
      start.textContent = from ? 'Count from the start' : 'Count from now on';
    }
    const start = button('Count from now on', () => {
      if (!counted) return;
      countFrom(from ? undefined : routesOf(counted, listener));
      announce(from ? 'Requests are counted from now on.' : 'Requests are counted from the start.');
      show();
    });
    const chosen = filters('Which listener', [{ name: 'listener', label: 'Listener', kind: 'select', options: LISTENERS, value: listener }], (values) => go('latency', values));
    // No event states that a request was answered.
    const polling = setInterval(() => document.hidden || again(), EVERY);
    return {
      node: [
        heading('Latency', 'From the end of a request’s headers until its response is made, since the start of this server. Read every ten seconds.', start),
        chosen,
        h('div', { class: 'grid' }, card('How long requests took', chart), card('The 95th percentile over time', recent)),
        rows.node,
      ],
      refresh,
      end: () => clearInterval(polling),
      wants: () => false,
    };
  },
};
