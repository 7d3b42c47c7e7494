// Current activity, and recent failures.

import { get, optional, query } from '../api.js';
import { barsChart, columnsChart, spendingMeter } from '../chart.js';
import { card, empty, h, heading, link, replace } from '../dom.js';
import { count, hourOfDay, plural, sentence, time } from '../format.js';
import { serverNow } from '../live.js';
import { checkName } from '../refusal.js';
import { showLatency } from './latency.js';
import { trunksOf } from './trunks.js';

const SAMPLE = 1_000;
const COLUMNS = 48;
const SPANS = [[3_600_000, 'hour'], [6 * 3_600_000, '6 hours'], [24 * 3_600_000, '24 hours'], [7 * 24 * 3_600_000, '7 days']];
const MOST_TRUNKS = 8;
const MOST_ACCOUNTS = 20;

export const overview = {
  path: 'overview',
  title: 'Overview',
  show({ account, accounts }) {
    const tiles = h('ul', { class: 'tiles' });
    const chart = h('div');
    const refused = h('div');
    const latest = h('div');
    const spending = h('div');
    const latency = h('div');
    const node = [
      heading('Overview'),
      tiles,
      h(
        'div',
        { class: 'overview' },
        card('Calls', chart),
        card('Refusals by check', refused),
        card('Latest refusals', latest),
        card('Spending of the last 24 hours', spending),
        card('Latency of the API', latency),
      ),
    ];

    async function refresh() {
      const [active, counts, records, backlog, counted] = await Promise.all([
        optional('/calls/active'),
        optional('/calls/counts'),
        optional(`/calls${query({ account, limit: SAMPLE })}`),
        get(`/deliveries${query({ account, limit: 1 })}`),
        optional('/request_counts'),
      ]);
      const list = records?.calls ?? [];
      showTiles(tiles, active, counts, backlog);
      showCalls(chart, list, counts);
      showRefusals(refused, list);
      showLatest(latest, list);
      showLatency(latency, counted);
      await showSpending(spending, account ? accounts.filter(({ id }) => id === account) : accounts);
    }
    return { node, refresh, wants: (name, data) => name !== 'changed' || data.kinds.some((kind) => ['voice_out_trunks', 'calls'].includes(kind)) };
  },
};

const tile = (name, value, to, about) =>
  h('li', {}, link(to, h('span', { class: 'tile-name' }, name), h('span', { class: 'tile-value' }, value), h('span', { class: 'quiet' }, about)));

function showTiles(tiles, active, counts, backlog) {
  const since = 'since the start';
  replace(
    tiles,
    active && tile('Live calls', count(active.calls.length), 'calls', 'now'),
    counts && tile('Admitted', count(counts.admitted), 'records', since),
    counts && tile('Refused', count(counts.refused), 'attempts?outcome=refused', since),
    counts && tile('Strangers', count(counts.unknown_answered + counts.unknown_unanswered), 'attempts', since),
    tile('Events waiting', count(backlog.waiting), 'deliveries', backlog.dropped > 0 ? `${count(backlog.dropped)} dropped` : 'for delivery'),
  );
}

function showCalls(place, list, counts) {
  if (!counts) return replace(place, empty('This server takes no calls.', 'Start it with ', h('code', {}, '--sip-listen'), ' to take them.'));
  if (list.length === 0) return replace(place, empty('No call has ended and none was refused yet.', 'Try one without placing it: ', link('explain', 'explain a call'), '.'));
  const now = serverNow();
  const oldest = Date.parse(list.at(-1).time_end);
  const [length, name] = SPANS.find(([span]) => now - oldest < span) ?? SPANS.at(-1);
  const from = now - length;
  const columns = Array.from({ length: COLUMNS }, (_, index) => {
    const at = new Date(from + (index * length) / COLUMNS);
    return { label: length > 24 * 3_600_000 ? at.toLocaleDateString() : hourOfDay(at), values: [0, 0, 0] };
  });
  for (const record of list) {
    const column = columns[Math.min(COLUMNS - 1, Math.floor(((Date.parse(record.time_end) - from) / length) * COLUMNS))];
    if (column) column.values[record.check ? 2 : record.success ? 0 : 1] += 1;
  }
  const series = [{ name: 'answered', tone: 'good' }, { name: 'not answered', tone: 'warn' }, { name: 'refused', tone: 'bad' }];
  const sample = list.length === SAMPLE ? `the newest ${count(SAMPLE)} records` : plural(list.length, 'record');
  return replace(place, h('p', { class: 'quiet' }, `The last ${name}: ${sample}.`), columnsChart({ title: `Calls of the last ${name}`, series, columns }));
}

function showRefusals(place, list) {
  const sums = new Map();
  for (const { check } of list) if (check) sums.set(check, (sums.get(check) ?? 0) + 1);
  const rows = [...sums].sort(([, a], [, b]) => b - a).map(([check, value]) => ({ name: checkName(check), value, to: `records?check=${check}` }));
  if (rows.length === 0) return replace(place, empty('No recorded call was refused.', 'Refused calls of unknown senders are among the ', link('attempts', 'attempts'), '.'));
  return replace(place, barsChart({ title: 'Refusals by check', rows, tone: 'bad' }));
}

function showLatest(place, list) {
  const found = list.filter(({ check }) => check).slice(0, 6);
  if (found.length === 0) return replace(place, empty('Nothing was refused.', 'The reason of each refused call is shown here.'));
  return replace(
    place,
    h('ul', { class: 'feed' }, found.map((record) => h('li', {}, h('p', {}, link(`records/${encodeURIComponent(record.call_id)}`, sentence(record.explanation))), h('p', { class: 'quiet' }, time(record.time_end, serverNow()), ` · ${record.trunk_name} · to ${record.dst_number}`)))),
  );
}

async function showSpending(place, accounts) {
  const all = await Promise.all(accounts.slice(0, MOST_ACCOUNTS).map(trunksOf));
  const trunks = all.flat().sort((a, b) => Number(b.spent) - Number(a.spent)).slice(0, MOST_TRUNKS);
  if (trunks.length === 0) return replace(place, empty('There are no trunks.', 'Create one with the API or ', h('code', {}, 'trunkctl'), '; what it spends will stand here.'));
  return replace(
    place,
    h('ul', { class: 'feed' }, trunks.map((trunk) => h('li', { class: 'spread' }, link(`trunks/${trunk.account}/${trunk.id}`, trunk.name), spendingMeter(trunk.spent, trunk.threshold)))),
  );
}
