// The DIDs of an account, or of all.

import { get, patch, post, query } from '../api.js';
import { button, card, empty, h, heading, none, notice, pill, replace } from '../dom.js';
import { filters, form } from '../form.js';
import { time } from '../format.js';
import { serverNow } from '../live.js';
import { table } from '../table.js';
import { MOST_ACCOUNTS, onlySome } from './trunks.js';

const PAGE = 100;

const shape = (account, included) => ({ id, attributes, relationships }) => {
  const group = included?.find((record) => record.type === 'did_groups' && record.id === relationships.did_group?.data?.id);
  return { account, id, ...attributes, features: group?.attributes.features ?? [] };
};

const states = (did) => {
  const found = [did.blocked && pill('blocked', 'bad'), did.terminated && pill('terminated', 'bad'), did.awaiting_registration && pill('awaiting registration', 'warn')].filter(Boolean);
  return found.length > 0 ? found : pill('in use', 'good');
};

export const dids = {
  path: 'dids',
  title: 'DIDs',
  show({ account, accounts, params, go, reread }) {
    const owners = account ? accounts.filter(({ id }) => id === account) : accounts;
    const chosen = () => (account ? owners : accounts).slice(0, MOST_ACCOUNTS);
    const more = h('div');
    const names = new Map(accounts.map(({ id, name }) => [id, name]));
    const said = h('div');
    const rows = table({
      caption: 'DIDs',
      key: (did) => did.id,
      nothing: () =>
        params.number
          ? empty('No DID has this number.', 'The whole number is compared. Clear the filter to see all DIDs.')
          : empty('There is no DID here.', 'Add one below: a trunk whose caller number must be a DID refuses calls without it.'),
      columns: [
        { title: 'Number', class: 'number', cell: (did) => did.number },
        ...(chosen().length > 1 ? [{ title: 'Account', cell: (did) => names.get(did.account) }] : []),
        { title: 'State', cell: states },
        { title: 'Description', cell: (did) => did.description || none() },
        { title: 'Features', cell: (did) => (did.features.length > 0 ? did.features.join(', ').replaceAll('_', ' ') : none()) },
        { title: 'Emergency calls', cell: (did) => (did.emergency_enabled ? 'yes' : 'no') },
        { title: 'Expires', cell: (did) => time(did.expires_at, serverNow()) },
        { title: 'Change', cell: (did) => button(did.blocked ? 'Unblock' : 'Block', () => block(did), { class: 'small', 'aria-label': `${did.blocked ? 'Unblock' : 'Block'} ${did.number}` }) },
      ],
    });
    async function block(did) {
      try {
        await patch(`/accounts/${did.account}/dids/${did.id}`, { blocked: !did.blocked });
        replace(said);
      } catch (error) {
        replace(said, notice('bad', error.message));
      }
      await reread();
    }
    async function refresh() {
      const search = query({ include: 'did_group', 'page[size]': PAGE, 'filter[number]': params.number });
      const lists = await Promise.all(chosen().map(async ({ id }) => {
        const { data, included } = await get(`/accounts/${id}/records/dids${search}`);
        return data.map(shape(id, included));
      }));
      rows.update(lists.flat());
      replace(more, onlySome(owners));
    }
    const chooser = filters('Filter of the DIDs', [{ name: 'number', label: 'Number', value: params.number }], (values) => go('dids', values));
    const { node } = form({
      label: 'Add a DID',
      submit: 'Add the DID',
      fields: [
        { name: 'owner', label: 'Account', kind: 'select', options: owners.length > 0 ? owners.map(({ id, name }) => [id, name]) : [['', 'no account']] },
        { name: 'number', label: 'Number', required: true, what: 'the number', hint: '1 to 20 digits.' },
        { name: 'description', label: 'Description' },
        { name: 'emergency_enabled', label: 'Emergency calls are possible', kind: 'check' },
      ],
      send: async ({ owner, ...did }) => {
        if (did.description === '') delete did.description;
        await post(`/accounts/${owner}/dids`, did);
        await refresh();
        return `The DID ${did.number} was added.`;
      },
    });
    return { node: [heading('DIDs', `Up to ${PAGE} numbers of each account.`), chooser, said, rows.node, more, card('Add a DID', node)], refresh, wants: (name, data) => name === 'changed' && data.kinds.includes('dids') };
  },
};
