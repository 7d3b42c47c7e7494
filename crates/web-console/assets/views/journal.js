// The last requests to the public APIs with their answers, and the page of one of them. Their texts are not trusted.

import { optional, query, remove } from '../api.js';
import { announce, button, card, confirmed, empty, facts, h, heading, link, none, notice, pill, replace } from '../dom.js';
import { filters } from '../form.js';
import { clipped, count, indented, micros, plural, time } from '../format.js';
import { onEvent, serverNow } from '../live.js';
import { table } from '../table.js';

// Maximum number of rows that are kept and shown.
const MOST = 200;
// Maximum number of characters of a path in a row.
const MOST_LETTERS = 240;
const METHODS = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'];

const noJournal = () => empty('This server keeps no journal.', 'Start it with ', h('code', {}, '--journal 1000'), ' to keep that many requests in memory, with their secrets hidden.');

const tone = (status) => (status === null || status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'good');
const answer = ({ status }) => pill(status === null ? 'no answer' : String(status), tone(status));
const target = ({ path, query: search }) => (search === null ? path : `${path}?${search}`);

export const journal = {
  path: 'journal',
  title: 'Journal',
  show({ params, go, account: chosenAccount, accounts }) {
    // Of a server with one account, requests without a valid key are shown too.
    const account = accounts.length > 1 ? chosenAccount : '';
    const said = h('div');
    const place = h('div');
    let kept = [];
    // The number of the last request that was read; undefined if all have to be read again.
    let last;
    let isHeld = false;
    // How often the list was cleared: the answer to an earlier request is ignored after it.
    let times = 0;
    const rows = table({
      caption: 'Requests, newest first',
      key: (entry) => entry.number,
      nothing: () =>
        Object.keys(params).length > 0 || account
          ? empty('No request matches the filter.', 'Clear it, and choose all accounts at the top, to see all requests. One without a valid key belongs to no account.')
          : empty('No request has come yet.', 'Send one to the API. Those to the control API are not part of the journal.'),
      columns: [
        { title: 'Number', class: 'number', cell: (entry) => link(`journal/${entry.number}`, `Request ${entry.number}`) },
        { title: 'Time', cell: (entry) => time(entry.time, serverNow()) },
        { title: 'Request', class: 'why-cell', cell: (entry) => [h('strong', {}, clipped(entry.method, 20)), ' ', h('code', {}, clipped(target(entry), MOST_LETTERS))] },
        { title: 'Answer', cell: answer },
        { title: 'Took', class: 'number', cell: (entry) => micros(entry.duration_us) },
        { title: 'Bytes of the answer', class: 'number', cell: (entry) => count(entry.response_body.bytes) },
        { title: 'Fault', cell: (entry) => (entry.fault === null ? none() : link('faults', `Fault ${entry.fault}`)) },
      ],
    });

    function forget() {
      times += 1;
      last = undefined;
      kept = [];
    }

    async function refresh() {
      if (isHeld) return;
      const [after, asked] = [last, times];
      const found = await optional(`/journal${query({ ...params, account, brief: true, limit: MOST, after })}`);
      if (isHeld) return;
      if (asked !== times) {
        await refresh();
        return;
      }
      hold.hidden = !found;
      clear.hidden = !found;
      if (!found) {
        replace(place, noJournal());
        return;
      }
      if (rows.node.parentNode !== place) replace(place, rows.node);
      // A restarted server counts from 1 again.
      const isSame = after !== undefined && found.last >= after;
      const all = new Map([...(isSame ? kept : []), ...found.requests].map((entry) => [entry.number, entry]));
      // Entries that were dropped to make room, or cleared by another page, cannot be opened.
      const there = [...all.values()].filter(({ number }) => number >= found.first);
      kept = there.sort((one, other) => other.number - one.number).slice(0, MOST);
      last = after === undefined || isSame ? found.last : undefined;
      rows.update(kept);
      if (last === undefined) await refresh();
    }

    async function act(run) {
      try {
        await run();
      } catch (error) {
        replace(said, notice('bad', error.message));
      }
    }

    function follow() {
      isHeld = false;
      hold.textContent = 'Pause';
    }
    const hold = button('Pause', () => {
      if (isHeld) {
        follow();
        forget();
        act(refresh);
        announce('The list follows the requests.');
      } else {
        isHeld = true;
        hold.textContent = 'Follow again';
        announce('The list stands still.');
      }
    });
    const clear = button('Forget all', async () => {
      if (!(await confirmed('Forget all requests of the journal?', 'A test that looks for them no longer finds them.', 'Forget them'))) return;
      await act(async () => {
        const { cleared } = await remove('/journal');
        forget();
        follow();
        await refresh();
        const text = `${plural(cleared, 'request')} forgotten.`;
        replace(said, notice('good', text));
        announce(text);
      });
      document.querySelector('h1')?.focus();
    }, { class: 'danger' });
    const chosen = filters('Filter of the requests', [
      { name: 'method', label: 'Method', kind: 'select', options: [['', 'All'], ...METHODS.map((name) => [name, name])], value: params.method },
      { name: 'path', label: 'Path, with * for any text', value: params.path },
      { name: 'resource', label: 'Type of records', value: params.resource },
      { name: 'status', label: 'Status', kind: 'number', value: params.status },
    ], (values) => go('journal', values));
    // After a gap, the read entries are not complete.
    const end = onEvent((name) => name === 'reload' && forget());
    return {
      node: [heading('Journal', [`The newest ${MOST} requests to the public APIs, as they come. Secrets are hidden. `, link('messages', 'SIP messages'), ' have a list of their own.'], hold, clear), said, chosen, place],
      refresh,
      end,
      wants: (name, data) => name === 'changed' && data.kinds.includes('journal'),
    };
  },
};

export const entryView = {
  path: 'entry',
  title: 'Request',
  show({ rest: [number] }) {
    const place = h('div', { class: 'stack' });
    let isShown = false;
    async function refresh() {
      // An entry never changes.
      if (isShown) return;
      const entry = await optional(`/journal/${encodeURIComponent(number)}`);
      if (!entry) {
        replace(place, empty('The journal has no request with this number.', 'It was dropped to make room for later ones, was cleared, or does not exist yet. ', link('journal', 'All requests')));
        return;
      }
      isShown = true;
      replace(place, shown(entry));
    }
    const at = /^\d{1,15}$/.test(number) ? Number(number) : undefined;
    return {
      node: [
        h('p', { class: 'crumb' }, link('journal', 'Journal')),
        heading(`Request ${number}`),
        at !== undefined && h('p', { class: 'steps' }, at > 1 && link(`journal/${at - 1}`, `Request ${at - 1}, before it`), link(`journal/${at + 1}`, `Request ${at + 1}, after it`)),
        place,
      ],
      refresh,
      // An entry that does not exist yet can be added later.
      wants: (name, data) => !isShown && name === 'changed' && data.kinds.includes('journal'),
    };
  },
};

function shown(entry) {
  const { method, path, account } = entry;
  return [
    card(
      'What happened',
      facts([
        ['Time', time(entry.time)],
        ['Answer', answer(entry)],
        ['Took', micros(entry.duration_us)],
        ['Account', account ? link(`accounts/${account}`, h('code', {}, account)) : 'none: no valid key, or another API than DIDWW’s'],
        ['Fault', entry.fault === null ? undefined : link('faults', `Fault ${entry.fault} applied to it`)],
      ]),
      h('p', {}, link(`faults${query({ method, path })}`, 'Let such requests fail')),
    ),
    card('Request', h('pre', { class: 'text', tabindex: '0', role: 'region', 'aria-label': 'Request line' }, `${method} ${target(entry)}`), headersOf('Request', entry.request_headers), bodyOf('Request', entry.request_body)),
    card('Answer', entry.status === null ? h('p', {}, 'The connection ended before an answer.') : [headersOf('Answer', entry.response_headers), bodyOf('Answer', entry.response_body)]),
  ];
}

function headersOf(whose, headers) {
  const rows = Object.entries(headers);
  if (rows.length === 0) return h('p', { class: 'quiet' }, 'No headers.');
  return h(
    'div',
    { class: 'table', role: 'region', 'aria-label': `${whose}: headers, table`, tabindex: '0' },
    h(
      'table',
      {},
      h('caption', { class: 'unseen' }, `${whose}: headers`),
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Header'), h('th', { scope: 'col' }, 'Value'))),
      h('tbody', {}, rows.map(([name, value]) => h('tr', {}, h('th', { scope: 'row' }, h('code', {}, name)), h('td', { class: 'why-cell' }, h('code', {}, value))))),
    ),
  );
}

function bodyOf(whose, { bytes, text, is_cut: isCut }) {
  if (bytes === 0) return h('p', { class: 'quiet' }, 'No body.');
  if (text === null) return h('p', { class: 'quiet' }, `A body of ${plural(bytes, 'byte')}, which is not shown: it is neither JSON nor a form, or was too long to be examined.`);
  const isJson = /^\s*[{[]/.test(text);
  return [
    h('pre', { class: 'text', tabindex: '0', role: 'region', 'aria-label': `${whose}: body` }, isJson ? indented(text) : text),
    h('p', { class: 'quiet' }, isCut ? `The beginning of a body of ${plural(bytes, 'byte')}; the rest was not kept.` : `${plural(bytes, 'byte')}${isJson ? ', indented here' : ''}.`),
  ];
}
