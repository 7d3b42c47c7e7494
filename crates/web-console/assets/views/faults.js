// The faults of the lab: those that are set, the requests that each has hit, and a form that adds one.

import { get, post, remove } from '../api.js';
import { announce, button, card, code, confirmed, empty, h, heading, link, notice, replace } from '../dom.js';
import { form } from '../form.js';
import { clipped, count, plural } from '../format.js';
import { table } from '../table.js';

const MOST_LETTERS = 120;
const TARGETS = [
  ['requests', 'Requests of clients'],
  ['callbacks', 'Callbacks and webhooks that the server sends'],
  ['calls', 'Calls that a trunk admits'],
];
const EFFECTS = {
  status: 'An answer with a status',
  delay: 'A late answer',
  slow_body: 'A body that comes in slow pieces',
  cut_body: 'A body that is cut, and the connection ends',
  close: 'The connection is closed without an answer',
  reset: 'The connection is reset without an answer',
  content_type: 'Another media type',
  lose: 'It is lost, and counts as delivered',
  no_answer: 'It rings and is not answered',
  lost_ack: 'The ACK of the answer is lost',
  one_way_audio: 'The caller hears nothing',
  packet_loss: 'A share of the packets to the caller is lost',
};
const OF = {
  requests: ['status', 'delay', 'slow_body', 'cut_body', 'close', 'reset', 'content_type'],
  callbacks: ['status', 'delay', 'lose'],
  calls: ['status', 'delay', 'no_answer', 'lost_ack', 'one_way_audio', 'packet_loss'],
};
const NAMES = Object.fromEntries(TARGETS);
const METHODS = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'];

const isOf = (...targets) => ({ target }) => targets.includes(target);
const has = (...effects) => ({ effect }) => effects.includes(effect);
const both = (one, other) => (values) => one(values) && other(values);

const fieldsOf = (accounts, params) => [
  { legend: 'What is to fail, and how' },
  { name: 'target', label: 'What is to fail', kind: 'select', options: TARGETS, value: Object.hasOwn(NAMES, params.target ?? '') ? params.target : 'requests' },
  { name: 'effect', label: 'What happens', kind: 'select', options: ({ target }) => OF[target].map((name) => [name, EFFECTS[name]]), value: params.effect },
  { name: 'status', label: 'Status', kind: 'number', required: true, what: 'a status', hint: '200 to 599; of a call, 300 to 699.', when: has('status') },
  { name: 'bytes', label: 'Bytes', kind: 'number', hint: 'Of each piece, 16 if empty; or before the cut, 10 if empty.', when: has('slow_body', 'cut_body') },
  { name: 'pause_ms', label: 'Pause before each piece, milliseconds', kind: 'number', hint: 'Empty: 100.', when: has('slow_body') },
  { name: 'content_type', label: 'Media type', hint: 'Such as text/html.', when: both(isOf('requests'), has('status', 'content_type')) },
  { name: 'loss', label: 'Share of packets', kind: 'number', required: true, what: 'a share', hint: 'Above 0, and at most 1.', when: has('packet_loss') },
  { name: 'delay_ms', label: 'Delay, milliseconds', kind: 'number', hint: 'At most 60000. A late answer needs one.' },
  { name: 'delay_up_to_ms', label: 'Random delay up to, milliseconds', kind: 'number', hint: 'Empty: the delay is always the same.' },
  { name: 'body', label: 'Body of the answer', kind: 'area', wide: true, hint: 'Empty: the error that the API has for the status.', when: both(isOf('requests'), has('status')) },
  { name: 'serve', label: 'The request has its effect, and only its answer is lost', kind: 'check', when: both(isOf('requests'), has('status', 'close', 'reset')) },
  { legend: 'Which ones' },
  { name: 'account', label: 'Account', kind: 'select', options: [['', 'Any, or none'], ...accounts.map(({ id, name }) => [id, clipped(name, 60)])], value: params.account },
  { name: 'method', label: 'Method', kind: 'select', options: [['', 'Any'], ...METHODS.map((name) => [name, name])], value: params.method, when: isOf('requests', 'callbacks') },
  { name: 'path', label: 'Path, or dialled number', hint: 'Such as /v3/dids/* or 4420*, where * is any text. Empty: any.', value: params.path },
  { name: 'resource', label: 'Type of records', hint: 'Such as dids: /v3/dids and all below it.', value: params.resource, when: isOf('requests') },
  { name: 'trunk', label: 'Trunk', hint: 'Its id. Empty: any.', value: params.trunk, when: isOf('calls') },
  { legend: 'How often' },
  { name: 'first', label: 'From which one on', kind: 'number', hint: 'Counted from 1 among those that match. Empty: the first.' },
  { name: 'times', label: 'How many times at most', kind: 'number', hint: 'Empty: no limit.' },
  { name: 'probability', label: 'Probability', kind: 'number', hint: 'From 0 to 1. Empty: each one.' },
  { name: 'seed', label: 'Seed', kind: 'number', hint: 'Determines the random choices. The same seed selects the same requests.' },
];

function what({ effect, status, body, content_type: type, delay_ms: delay, delay_up_to_ms: upTo, bytes, pause_ms: pause, loss, serve }) {
  const late = delay !== undefined && (upTo === undefined ? `${delay} ms late` : `${delay} to ${upTo} ms late`);
  return [
    EFFECTS[effect] ?? effect,
    status && `: ${status}`,
    type && `, ${clipped(type, MOST_LETTERS)}`,
    body !== undefined && `, a body of ${plural(body.length, 'letter')}`,
    bytes !== undefined && `, ${plural(bytes, 'byte')}`,
    pause !== undefined && `, pauses of ${pause} ms`,
    loss !== undefined && `, ${Number((100 * loss).toPrecision(4))} %`,
    late && `, ${late}`,
    serve && '; it has its effect all the same',
  ];
}

function which({ target, account, method, path, resource, trunk }, names) {
  const quoted = (text) => code(clipped(text, MOST_LETTERS));
  const parts = [
    method && [' ', h('strong', {}, clipped(method, 20))],
    path !== undefined && [target === 'calls' ? ' to ' : ' ', quoted(path)],
    resource && [' of the type ', quoted(resource)],
    account && [' of ', link(`accounts/${account}`, names.get(account) ?? account)],
    trunk && [' through the trunk ', account ? link(`trunks/${account}/${trunk}`, trunk) : code(trunk)],
  ];
  return [NAMES[target] ?? target, parts.filter(Boolean)];
}

function howOften({ first, times, probability, seed }) {
  const isOne = times === 1 && probability === undefined;
  const turn = isOne ? `number ${first} alone` : first > 1 ? `from number ${first} on` : 'each one';
  return [turn, !isOne && times !== undefined && `, ${plural(times, 'time')} at most`, probability !== undefined && `, with the probability ${probability} (seed ${seed})`];
}

export const faults = {
  path: 'faults',
  title: 'Faults',
  show({ accounts, params, reread }) {
    const names = new Map(accounts.map(({ id, name }) => [id, name]));
    const said = h('div');
    const rows = table({
      caption: 'Faults, in the order in which they are checked',
      key: (state) => state.id,
      nothing: () => empty('No fault is set.', 'Set one below: the requests that it selects fail on purpose, until you remove it.'),
      columns: [
        { title: 'Fault', cell: ({ id }) => `Fault ${id}` },
        { title: 'What happens', class: 'why-cell', cell: ({ fault }) => what(fault) },
        { title: 'To which', class: 'why-cell', cell: ({ fault }) => which(fault, names) },
        { title: 'How often', cell: ({ fault }) => howOften(fault) },
        { title: 'Matched', class: 'number', cell: ({ matched }) => count(matched) },
        { title: 'Hit', class: 'number', cell: ({ hits }) => count(hits) },
        { title: 'Remove', cell: ({ id }) => button('Remove', () => drop(id), { class: 'danger small', 'aria-label': `Remove fault ${id}` }) },
      ],
    });
    const all = button('Remove all', () => dropAll(), { class: 'danger', hidden: true });

    async function refresh() {
      const found = await get('/faults');
      rows.update(found.faults);
      all.hidden = found.faults.length === 0;
    }

    async function act(run) {
      try {
        const text = await run();
        await reread();
        replace(said, notice('good', text));
        announce(text);
      } catch (error) {
        replace(said, notice('bad', error.status === 404 ? 'The fault was removed already.' : error.message));
        await reread();
      }
      document.querySelector('h1')?.focus();
    }
    const drop = (id) =>
      act(async () => {
        const { hits } = await remove(`/faults/${id}`);
        return `Fault ${id} was removed. It had hit ${plural(hits, 'time')}.`;
      });
    async function dropAll() {
      if (!(await confirmed('Remove all faults?', 'Those that other users of this server have set are removed too.', 'Remove them'))) return;
      await act(async () => `${plural((await remove('/faults')).removed, 'fault')} removed.`);
    }

    const { node } = form({
      label: 'Set a fault',
      submit: 'Set the fault',
      fields: fieldsOf(accounts, params),
      send: async (values) => {
        const fault = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '' && value !== false));
        const { id } = await post('/faults', fault);
        // The fault is set even if the list cannot be read: a user who sees a failure would add it again.
        await reread();
        return `Fault ${id} is set.`;
      },
    });
    return {
      node: [
        heading('Faults', 'The first fault that selects a request, a callback or a call applies to it. Faults are in memory: a restart removes them.', all),
        said,
        rows.node,
        h('p', {}, 'The requests that a fault applied to are in the ', link('journal', 'journal'), ', the ', link('deliveries', 'deliveries'), ' and the ', link('attempts', 'attempts'), '.'),
        card('Set a fault', node),
      ],
      refresh,
      wants: (name, data) => name === 'changed' && data.kinds.includes('faults'),
    };
  },
};
