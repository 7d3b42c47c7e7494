// Who changed which record when.

import { get, query } from '../api.js';
import { code, empty, h, heading, link, pill, replace } from '../dom.js';
import { filters } from '../form.js';
import { plural, time, words } from '../format.js';
import { serverNow } from '../live.js';
import { numbered, table } from '../table.js';

const MOST = 100;
// Maximum number of shown changes of one entry: a request can change thousands.
const MOST_CHANGES = 8;
const TONES = { created: 'good', updated: 'plain', deleted: 'bad' };
const BY = { key: 'the owner, with the key ', staff: 'staff, over the control API', edge: 'the carrier edge', job: 'what was due: ' };

const who = ({ kind, id }) => [BY[kind] ?? kind, id && (kind === 'key' ? code(id) : words(id))];

const subject = ({ account, type, id, action }) => (type === 'voice_out_trunks' && account && action !== 'deleted' ? link(`trunks/${account}/${id}`, id) : code(id));

export const audit = {
  path: 'audit',
  title: 'Audit',
  show({ params, go, account: chosenAccount, accounts }) {
    // With one account, the changes of those that were deleted are shown too.
    const account = accounts.length > 1 ? chosenAccount : '';
    const names = new Map(accounts.map(({ id, name }) => [id, name]));
    const steps = h('p', { class: 'steps' });
    const change = (one) =>
      h(
        'p',
        {},
        pill(one.action, TONES[one.action]),
        ' ',
        words(one.type),
        ' ',
        subject(one),
        names.has(one.account) && h('span', { class: 'quiet' }, ` of ${names.get(one.account)}`),
        one.members.length > 0 && h('span', {}, `: ${one.members.map(words).join(', ')}`),
      );
    const rows = table({
      caption: 'Changes, newest first',
      key: (entry) => entry.key,
      nothing: () =>
        Object.keys(params).length > 0 || account
          ? empty('No change matches the filter.', 'Clear it, and choose all accounts at the top, to see all changes.')
          : empty('There is no entry.', 'A server keeps an audit if ', h('code', {}, 'audit_months'), ' of ', h('code', {}, '[accounts]'), ' is set; changes from then on stand here.'),
      columns: [
        { title: 'Time', cell: (entry) => time(entry.at, serverNow()) },
        { title: 'Who', cell: ({ by }) => who(by) },
        { title: 'What', class: 'why-cell', cell: ({ changes }) => [changes.slice(0, MOST_CHANGES).map(change), changes.length > MOST_CHANGES && h('p', { class: 'quiet' }, `and ${plural(changes.length - MOST_CHANGES, 'other record')}`)] },
      ],
    });
    async function refresh() {
      const found = await get(`/audit${query({ ...params, account, limit: MOST })}`);
      rows.update(numbered(found.entries, ({ at, by, changes }) => [at, by.kind, by.id, changes[0]?.id].join(' ')));
      const { before, ...rest } = params;
      const later = before && link(`audit${query(rest)}`, 'The newest changes');
      const older = found.next !== null && link(`audit${query({ ...rest, before: found.next })}`, 'Older changes');
      replace(steps, later, older);
    }
    const chosen = filters('Filter of the changes', [
      { name: 'type', label: 'Type of records', value: params.type },
      { name: 'id', label: 'Id of the record', value: params.id },
    ], (values) => go('audit', values));
    return {
      node: [heading('Audit', 'Who changed which records, by the names of their members and without a value.'), chosen, rows.node, steps],
      refresh,
      wants: (name, data) => !params.before && name === 'changed' && data.kinds.some((kind) => !['journal', 'faults', 'calls', 'accounts'].includes(kind)),
    };
  },
};
