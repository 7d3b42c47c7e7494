// The trunks of an account, or of all.

import { get, query, Refusal } from '../api.js';
import { spendingMeter } from '../chart.js';
import { code, empty, h, heading, link, none, notice, pill, replace } from '../dom.js';
import { filters } from '../form.js';
import { plural, words } from '../format.js';
import { table } from '../table.js';

const PAGE = 200;
// Number of accounts that are read at the same time.
export const MOST_ACCOUNTS = 50;

const shape = (account) => ({ id, attributes, meta }) => ({
  account,
  id,
  name: attributes.name,
  status: attributes.status,
  reached: attributes.threshold_reached,
  method: attributes.authentication_method,
  capacity: attributes.capacity_limit,
  threshold: attributes.threshold_amount,
  spent: meta?.spent_amount,
});

// The trunks of an account, newest first. An account without the feature `outbound` has none.
export async function trunksOf({ id }, filter = {}) {
  try {
    const found = await get(`/accounts/${id}/records/voice_out_trunks${query({ 'page[size]': PAGE, sort: '-created_at', ...filter })}`);
    return found.data.map(shape(id));
  } catch (error) {
    if (error instanceof Refusal && error.status === 403) return [];
    throw error;
  }
}

// States which accounts a long list leaves out.
export const onlySome = (accounts) => accounts.length > MOST_ACCOUNTS && notice('plain', `Only the first ${MOST_ACCOUNTS} of ${plural(accounts.length, 'account')} are listed. Choose one at the top to see its own.`);

export const trunkState = (trunk) => {
  if (trunk.status === 'active') return pill('active', 'good');
  return [pill(trunk.status, 'bad'), trunk.reached && h('span', { class: 'quiet' }, ' threshold reached')];
};

const addresses = (method) => (method.attributes?.allowed_sip_ips ?? []).join(', ');

export const trunks = {
  path: 'trunks',
  title: 'Trunks',
  show({ account, accounts, params, go }) {
    // The list of accounts changes while the view is shown.
    const chosen = () => (account ? accounts.filter(({ id }) => id === account) : accounts.slice(0, MOST_ACCOUNTS));
    const names = new Map(accounts.map(({ id, name }) => [id, name]));
    const more = h('div');
    const rows = table({
      caption: 'Trunks, newest first',
      key: (trunk) => trunk.id,
      nothing: () =>
        params.name
          ? empty('No trunk has such a name.', 'Clear the filter to see all trunks.')
          : empty('There is no trunk here.', 'Create one with the API, an SDK, or ', code('trunkctl voice-out-trunks create'), '.'),
      columns: [
        { title: 'Name', cell: (trunk) => link(`trunks/${trunk.account}/${trunk.id}`, trunk.name) },
        ...(chosen().length > 1 ? [{ title: 'Account', cell: (trunk) => names.get(trunk.account) }] : []),
        { title: 'Status', cell: trunkState },
        { title: 'Spent in 24 h', class: 'meter-cell', cell: (trunk) => spendingMeter(trunk.spent, trunk.threshold) },
        { title: 'Authentication', cell: (trunk) => words(trunk.method?.type) || none() },
        { title: 'Allowed addresses', class: 'why-cell', cell: (trunk) => (trunk.method && addresses(trunk.method) ? code(addresses(trunk.method)) : none()) },
        { title: 'Calls at once', class: 'number', cell: (trunk) => trunk.capacity ?? 'no limit' },
      ],
    });
    async function refresh() {
      const filter = params.name ? { 'filter[name_contains]': params.name } : {};
      const all = (await Promise.all(chosen().map((one) => trunksOf(one, filter)))).flat();
      rows.update(all);
      const isCut = all.length >= PAGE;
      replace(more, isCut && notice('plain', `At most ${PAGE} trunks of each account are listed. Filter by name to find others.`), !account && onlySome(accounts));
    }
    const search = filters('Filter of the trunks', [{ name: 'name', label: 'Name contains', value: params.name }], (values) => go('trunks', values));
    return { node: [heading('Trunks', 'Open a trunk to see all of its settings and to change them.'), search, rows.node, more], refresh, wants: (name, data) => name === 'call' || (name === 'changed' && data.kinds.includes('voice_out_trunks')) };
  },
};
