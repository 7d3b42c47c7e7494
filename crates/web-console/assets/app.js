// The frame of the page: navigation, the token, the account, and which view is shown.

import { onLocked, optional, Refusal } from './api.js';
import { add, announce, button, h, heading, id, notice, replace } from './dom.js';
import { clockTime } from './format.js';
import { connect, liveState, off, onEvent, serverNow } from './live.js';
import { session } from './session.js';
import { accounts, accountView } from './views/accounts.js';
import { audit } from './views/audit.js';
import { calls } from './views/calls.js';
import { deliveries } from './views/deliveries.js';
import { dids } from './views/dids.js';
import { explain } from './views/explain.js';
import { faults } from './views/faults.js';
import { entryView, journal } from './views/journal.js';
import { latency } from './views/latency.js';
import { messages } from './views/messages.js';
import { overview } from './views/overview.js';
import { providers } from './views/providers.js';
import { attempts, records, recordView } from './views/records.js';
import { system } from './views/system.js';
import { trunkView } from './views/trunk.js';
import { trunks } from './views/trunks.js';

const GROUPS = [
  ['', [overview]],
  ['Calls', [calls, records, attempts, messages, explain]],
  ['Accounts', [accounts, trunks, dids]],
  ['Delivery', [deliveries, providers]],
  ['Lab', [journal, faults]],
  ['Server', [latency, audit, system]],
];
const VIEWS = new Map(GROUPS.flatMap(([, views]) => views).map((view) => [view.path, view]));
// Views of one entry of a list.
const DETAILS = new Map([['accounts', accountView], ['journal', entryView], ['records', recordView], ['trunks', trunkView]]);
const QUIET = 1_000;

const main = document.getElementById('main');
let shown;
let pending;
let last = 0;
// The views that are being read, and whether the one that is shown has to be read again.
const reading = new Set();
let isDue = false;

const state = { accounts: [] };

const accountOf = (number) => state.accounts.find((account) => account.id === number);

// --- The address -----------------------------------------------------------------------------------------------------

// A text with an invalid escape names nothing, and is shown unchanged.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function place() {
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/').map(decoded);
  return { name: name || 'overview', rest, params: Object.fromEntries(new URLSearchParams(search)) };
}

function go(path, params = {}) {
  const set = Object.entries(params).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(set).toString();
  const next = `#/${path}${search && `?${search}`}`;
  if (location.hash === next) route();
  else location.hash = next;
}

async function route({ focus = true } = {}) {
  const { name, rest, params } = place();
  const view = rest.length > 0 ? DETAILS.get(name) : VIEWS.get(name);
  shown?.end?.();
  clearTimeout(pending);
  pending = undefined;
  isDue = false;
  for (const entry of document.querySelectorAll('#nav a')) {
    if (entry.dataset.path === name) entry.setAttribute('aria-current', 'page');
    else entry.removeAttribute('aria-current');
  }
  if (!view) {
    document.title = 'Not found – Console';
    shown = undefined;
    main.replaceChildren(heading('There is no such view'), h('p', {}, 'Choose one of the views in the navigation.'));
    if (focus) main.querySelector('h1').focus({ preventScroll: true });
    return;
  }
  const context = { params, rest, go, again: soon, reread: () => refresh(), accounts: state.accounts, account: session.account };
  const made = view.show(context);
  shown = made;
  document.title = `${view.title} – Console`;
  const body = h('div', { class: 'view', 'data-view': view.path, 'aria-busy': 'true' }, made.node);
  main.replaceChildren(body);
  if (focus) main.querySelector('h1')?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  await refresh(made);
  body.removeAttribute('aria-busy');
}

async function refresh(view = shown) {
  if (!view?.refresh) return;
  last = Date.now();
  reading.add(view);
  try {
    await view.refresh();
    if (view === shown) settled();
  } catch (error) {
    if (view !== shown) return;
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401) return;
    const said = main.querySelector('.view-problem') ?? h('div', { class: 'view-problem' });
    // A message that is shown already is not repeated, and a focused button keeps the focus.
    if (said.dataset.text === error.message) return;
    said.dataset.text = error.message;
    replace(said, notice('bad', h('strong', {}, 'This could not be read. '), error.message, ' ', button('Try again', () => refresh())));
    if (!said.isConnected) main.firstElementChild.prepend(said);
  } finally {
    reading.delete(view);
    if (isDue && view === shown) {
      isDue = false;
      soon();
    }
  }
}

function settled() {
  const problem = main.querySelector('.view-problem');
  const hadFocus = problem?.contains(document.activeElement);
  problem?.remove();
  if (hadFocus) main.querySelector('h1')?.focus();
}

// At most once a second; never while the view is being read, while the page is hidden, or while the token is asked for.
function soon() {
  if (pending || asking || !shown?.refresh) return;
  if (document.hidden || reading.has(shown)) {
    isDue = true;
    return;
  }
  pending = setTimeout(() => {
    pending = undefined;
    if (asking) return;
    if (reading.has(shown)) isDue = true;
    else refresh();
  }, Math.max(50, QUIET - (Date.now() - last)));
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden || !isDue) return;
  isDue = false;
  soon();
});

onEvent((name, data) => {
  if (name !== 'attempt' && name !== 'call') frame();
  if (name === 'state' || name === 'heartbeat') return;
  // A server that was started again can have other accounts.
  if (name === 'reload' || (name === 'changed' && data.kinds.includes('accounts'))) renewAccounts();
  if (name === 'reload' || shown?.wants?.(name, data)) soon();
});

// --- The frame -------------------------------------------------------------------------------------------------------

const STATES = {
  live: ['good', 'Live', 'Events are shown as they happen.'],
  polling: ['warn', 'Polling every 10 s', 'There is no stream of events: the page polls every ten seconds.'],
  resting: ['plain', 'Resting', 'A hidden page reads nothing.'],
  off: ['plain', 'Not connected', 'The page is not connected.'],
};

const indicator = h('span', { class: 'live', role: 'status' });
const clock = h('span', { class: 'clock' });
const picker = h('select', { id: 'account', on: { change: () => {
  session.account = picker.value;
  route({ focus: false });
} } });
const lock = button('Sign out', () => {
  session.token = '';
  off();
  location.reload();
}, { class: 'link' });

function frame() {
  const [tone, text, about] = STATES[liveState()];
  if (indicator.dataset.text !== text) {
    indicator.dataset.text = text;
    replace(indicator, h('span', { class: `dot ${tone}`, 'aria-hidden': 'true' }), h('span', { class: 'unseen' }, 'Connection: '), text);
    indicator.title = about;
  }
  const now = liveState() === 'live' ? `Server time ${clockTime(serverNow())}` : '';
  if (clock.textContent !== now) replace(clock, now);
  lock.hidden = !session.token;
}

async function loadAccounts() {
  const found = (await optional('/accounts'))?.accounts ?? [];
  if (JSON.stringify(found) === JSON.stringify(state.accounts) && picker.options.length > 0) return;
  state.accounts.splice(0, state.accounts.length, ...found);
  if (!accountOf(session.account)) session.account = found.length === 1 ? found[0].id : '';
  replace(picker, h('option', { value: '' }, 'All accounts'), found.map(({ id: number, name }) => h('option', { value: number }, name)));
  picker.value = session.account;
}

// Reads the accounts again. A view of a deleted account is replaced.
async function renewAccounts() {
  const before = session.account;
  try {
    await loadAccounts();
  } catch (error) {
    // The view reports the error.
    if (!(error instanceof Refusal)) throw error;
    return;
  }
  if (before && session.account !== before) route({ focus: false });
}

function themes() {
  const apply = () => {
    if (session.theme) document.documentElement.dataset.theme = session.theme;
    else delete document.documentElement.dataset.theme;
  };
  const select = h('select', { id: 'theme', on: { change: () => {
    session.theme = select.value;
    apply();
  } } }, [['', 'System'], ['light', 'Light'], ['dark', 'Dark']].map(([value, text]) => h('option', { value }, text)));
  select.value = session.theme;
  apply();
  return h('span', { class: 'tool' }, h('label', { for: 'theme', class: 'unseen' }, 'Theme'), select);
}

function build() {
  add(document.getElementById('tools'), [
    indicator,
    clock,
    h('span', { class: 'tool' }, h('label', { for: 'account' }, 'Account'), picker),
    themes(),
    lock,
  ]);
  add(
    document.getElementById('nav'),
    GROUPS.map(([title, views]) => [
      title && h('h2', {}, title),
      h('ul', {}, views.map(({ path, title: name }) => h('li', {}, h('a', { href: `#/${path}`, 'data-path': path }, name)))),
    ]),
  );
  // A fragment of this page names a view, so that the link only moves the focus.
  document.getElementById('skip').addEventListener('click', (event) => {
    event.preventDefault();
    main.focus();
  });
  frame();
}

// --- The token -------------------------------------------------------------------------------------------------------

let asking;

onLocked((why) => {
  off();
  if (asking) {
    // Other requests of the page are refused too: a refusal without a reason does not replace the displayed one.
    if (why) asking.querySelector('.error').textContent = why;
    return;
  }
  session.token = '';
  const title = id('token');
  const error = h('p', { class: 'error', id: `${title}-error`, role: 'alert' }, why);
  const input = h('input', { id: `${title}-input`, type: 'password', autocomplete: 'off', required: true, 'aria-describedby': `${title}-about ${title}-error` });
  const form = h(
    'form',
    { method: 'dialog' },
    h('h2', { id: title }, 'Enter the control token'),
    h('p', { id: `${title}-about` }, 'It is the server’s setting ', h('code', {}, 'control_token'), '. This tab keeps it until it is closed.'),
    h('label', { for: `${title}-input` }, 'Control token'),
    input,
    error,
    h('div', { class: 'actions' }, h('button', { class: 'primary' }, 'Open the console')),
  );
  asking = h('dialog', { 'aria-labelledby': title }, form);
  asking.addEventListener('cancel', (event) => event.preventDefault());
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    error.textContent = '';
    const entered = input.value.trim();
    // A header accepts no other characters.
    if (!/^[\x20-\x7e]+$/.test(entered)) {
      error.textContent = 'A token consists of printable ASCII characters and spaces.';
      input.select();
      return;
    }
    session.token = entered;
    try {
      await loadAccounts();
    } catch (refusal) {
      error.textContent = refusal.message;
      session.token = '';
      input.select();
      return;
    }
    asking.close();
    asking.remove();
    asking = undefined;
    announce('The console is open.');
    begin();
  });
  document.body.append(asking);
  asking.showModal();
});

function begin() {
  frame();
  connect();
  route();
}

build();
addEventListener('hashchange', () => route());
try {
  await loadAccounts();
  begin();
} catch (error) {
  if (error.status !== 401) {
    replace(main, heading('The server cannot be read'), notice('bad', error.message), h('p', {}, button('Try again', () => location.reload(), { class: 'primary' })));
  }
}
