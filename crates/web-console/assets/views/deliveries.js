// Attempts to deliver callbacks and webhooks.

import { get, query } from '../api.js';
import { empty, h, heading, link, none, pill, replace } from '../dom.js';
import { filters } from '../form.js';
import { plural, time } from '../format.js';
import { serverNow } from '../live.js';
import { numbered, table } from '../table.js';

const LIMIT = 200;
const EVERY = 10_000;

const isCallback = (delivery) => 'account' in delivery;

// One that a fault lost counts as delivered, and has neither a status nor an error.
const succeeded = (delivery) => delivery.error === null;

const answer = (delivery) => {
  const text = delivery.status !== null ? String(delivery.status) : succeeded(delivery) ? 'lost by a fault' : 'no answer';
  return pill(text, succeeded(delivery) ? 'good' : 'bad');
};

export const deliveries = {
  path: 'deliveries',
  title: 'Callbacks and webhooks',
  show({ account, accounts, params, go, again }) {
    const names = new Map(accounts.map(({ id, name }) => [id, name]));
    const sums = h('p', { class: 'about' });
    const rows = table({
      caption: 'Attempts of deliveries, newest first',
      key: (delivery) => delivery.key,
      nothing: () =>
        params.failed
          ? empty('No attempt failed.', 'Show all attempts to see the others.')
          : empty('Nothing was sent yet.', 'A callback is sent when a trunk with a callback URL is blocked or opens again, and its account has a ', link('accounts', 'callback secret'), '. A webhook is sent for each event of a customer’s call.'),
      columns: [
        { title: 'Time', cell: (delivery) => time(delivery.at, serverNow()) },
        { title: 'Answer', cell: answer },
        { title: 'Kind', cell: (delivery) => (isCallback(delivery) ? 'callback' : 'webhook') },
        { title: 'Of', cell: (delivery) => (isCallback(delivery) ? (delivery.account ? link(`trunks/${delivery.account}/${delivery.trunk}`, 'Trunk', h('span', { class: 'quiet' }, ` ${names.get(delivery.account) ?? ''}`)) : none()) : h('code', {}, delivery.customer)) },
        { title: 'URL', class: 'why-cell', cell: (delivery) => h('code', {}, delivery.url) },
        { title: 'Events', class: 'number', cell: (delivery) => delivery.events },
        { title: 'Attempt', class: 'number', cell: (delivery) => delivery.attempt },
        { title: 'What was wrong', class: 'why-cell', cell: (delivery) => delivery.error ?? none() },
      ],
    });
    async function refresh() {
      const found = await get(`/deliveries${query({ account, limit: LIMIT })}`);
      // Webhooks of one call can be sent at the same time, above all while the clock is frozen.
      const list = numbered(found.deliveries, ({ at, trunk, call, attempt }) => [at, trunk ?? call, attempt].join(' '));
      rows.update(params.failed ? list.filter((delivery) => !succeeded(delivery)) : list);
      replace(sums, `${plural(found.waiting, 'event')} waiting for delivery, ${plural(found.dropped, 'event')} dropped.`);
    }
    // The feed of changes does not name deliveries.
    const polling = setInterval(() => document.hidden || again(), EVERY);
    const chooser = filters('Filter of the attempts', [{ name: 'failed', label: 'Show', kind: 'select', options: [['', 'All attempts'], ['yes', 'Failed attempts']], value: params.failed }], (values) => go('deliveries', values));
    return { node: [heading('Callbacks and webhooks'), sums, chooser, rows.node], refresh, end: () => clearInterval(polling), wants: () => false };
  },
};
