// The accounts; one account with its keys and callback secrets.

import { get, optional, patch, post, remove } from '../api.js';
import { announce, button, card, code, confirmed, empty, facts, h, heading, link, none, notice, pill, replace } from '../dom.js';
import { form } from '../form.js';
import { time } from '../format.js';
import { serverNow } from '../live.js';
import { table } from '../table.js';

const VERSIONS = ['2021-12-15', '2022-05-10', '2026-04-16', '2026-11-19'];
const FEATURES = ['outbound', 'replace_cli', 'randomize_cli', 'emergency', 'read_only', 'prorated_billing'];
const limit = (value) => (value === null ? h('span', { class: 'quiet' }, 'server’s own') : value === 0 ? 'none' : String(value));
const once = (what, text) => notice('good', h('p', {}, `${what} is shown only now. Copy it to where it is needed.`), h('p', {}, code(text)));

export const accounts = {
  path: 'accounts',
  title: 'Accounts',
  show() {
    const rows = table({
      caption: 'Accounts',
      key: (account) => account.id,
      nothing: () => empty('There is no account.', 'Create the first one below: its API key is what programs send.'),
      columns: [
        { title: 'Name', cell: (account) => link(`accounts/${account.id}`, account.name) },
        { title: 'API version', cell: (account) => account.version },
        { title: 'Features', cell: (account) => (account.features.length > 0 ? account.features.map((name) => [pill(name), ' ']) : none()) },
        { title: 'Requests a second', class: 'number', cell: (account) => limit(account.rate_limit) },
        { title: 'Records of a type', class: 'number', cell: (account) => limit(account.record_quota) },
        { title: 'Created', cell: (account) => time(account.created_at, serverNow()) },
        { title: 'Id', cell: (account) => code(account.id) },
      ],
    });
    const refresh = async () => rows.update((await get('/accounts')).accounts);
    const { node } = form({
      label: 'Create an account',
      submit: 'Create the account',
      fields: [
        { name: 'name', label: 'Name', hint: 'Empty: a generated one.' },
        { name: 'version', label: 'API version', kind: 'select', options: VERSIONS.map((version) => [version, version]), value: '2026-04-16' },
      ],
      send: async ({ name, version }) => {
        const made = await post('/accounts', { version, ...(name && { name }) });
        await refresh();
        return once(`The API key of ${made.name}`, made.api_key);
      },
    });
    return { node: [heading('Accounts', 'Each account has its own keys, trunks and numbers.'), rows.node, card('Create an account', node)], refresh, wants: (name, data) => name === 'changed' && data.kinds.includes('accounts') };
  },
};

export const accountView = {
  path: 'account',
  title: 'Account',
  show({ rest: [id] }) {
    const at = `/accounts/${encodeURIComponent(id)}`;
    const title = h('div');
    const about = h('div');
    const change = h('div');
    const said = h('div');
    const made = h('div');
    const keys = table({
      caption: 'API keys',
      key: (key) => key.id,
      nothing: () => empty('The account has no key.', 'Add one: without it no program can use the account.'),
      columns: [
        { title: 'Id', cell: (key) => code(key.id) },
        { title: 'May be used from', cell: (key) => key.allowed_addresses?.join(', ') ?? 'anywhere' },
        { title: 'Environment', cell: (key) => key.environment ?? none() },
        { title: 'Added', cell: (key) => time(key.created_at, serverNow()) },
        { title: 'Remove', cell: (key) => button('Remove', () => drop('key', `${at}/keys/${key.id}`, 'Requests with it are refused from the next one on.'), { 'aria-label': `Remove the key ${key.id}`, class: 'danger small' }) },
      ],
    });
    const secrets = table({
      caption: 'Callback secrets',
      key: (secret) => secret.id,
      nothing: () => empty('The account has no callback secret, so no callback is sent.', 'Add one, and configure your receiver with it.'),
      columns: [
        { title: 'Id', cell: (secret) => code(secret.id) },
        { title: 'State', cell: (secret) => (secret.enabled ? pill('signs callbacks', 'good') : pill('disabled')) },
        { title: 'Added', cell: (secret) => time(secret.created_at, serverNow()) },
        { title: 'Change', cell: (secret) => [
          button(secret.enabled ? 'Disable' : 'Enable', () => act(() => patch(`${at}/callback_secrets/${secret.id}`, { enabled: !secret.enabled })), { 'aria-label': `${secret.enabled ? 'Disable' : 'Enable'} the secret ${secret.id}`, class: 'small' }),
          ' ',
          button('Remove', () => drop('callback secret', `${at}/callback_secrets/${secret.id}`, 'Callbacks are no longer signed with it.'), { 'aria-label': `Remove the secret ${secret.id}`, class: 'danger small' }),
        ] },
      ],
    });

    function show(what, text) {
      replace(made, once(what, text));
      announce(`${what} is shown above the list, only now.`);
    }

    async function act(run) {
      try {
        const answer = await run();
        await refresh();
        return answer;
      } catch (error) {
        replace(said, notice('bad', error.message));
        return undefined;
      }
    }
    async function drop(what, path, effect) {
      if (!(await confirmed(`Remove this ${what}?`, effect, 'Remove'))) return;
      if (await act(() => remove(path))) {
        replace(said, notice('good', `The ${what} was removed.`));
        announce(`The ${what} was removed.`);
      }
      document.querySelector('h1')?.focus();
    }

    let account;
    let isSaving = false;
    async function refresh() {
      const [found, keyList, secretList] = await Promise.all([optional(at), optional(`${at}/keys`), optional(`${at}/callback_secrets`)]);
      if (!found) {
        replace(title, heading('There is no such account'), h('p', {}, link('accounts', 'All accounts')));
        return;
      }
      if (JSON.stringify(found) !== JSON.stringify(account)) {
        account = found;
        const hadFocus = title.contains(document.activeElement) || title.childNodes.length === 0;
        replace(title, heading(account.name, code(account.id)));
        if (hadFocus) title.querySelector('h1').focus({ preventScroll: true });
        replace(about, facts([['Created', time(account.created_at)]]));
        if (!change.contains(document.activeElement) && !isSaving) replace(change, edit(account).node);
      }
      // The account can be deleted between the answers.
      keys.update(keyList?.keys ?? []);
      secrets.update(secretList?.callback_secrets ?? []);
    }
    const edit = (shown) =>
      form({
        label: 'Change the account',
        submit: 'Save',
        fields: [
          { name: 'name', label: 'Name', value: shown.name, required: true },
          { name: 'version', label: 'API version', kind: 'select', options: VERSIONS.map((version) => [version, version]), value: shown.version },
          { name: 'rate_limit', label: 'Requests a second of each key', kind: 'number', empty: null, value: shown.rate_limit, hint: 'Empty: the server’s own limit. 0: none.' },
          { name: 'record_quota', label: 'Records of a type', kind: 'number', empty: null, value: shown.record_quota, hint: 'Empty: the server’s own limit. 0: none.' },
          { legend: 'Features' },
          ...FEATURES.map((name) => ({ name: `feature_${name}`, label: name.replaceAll('_', ' '), kind: 'check', value: shown.features.includes(name) })),
        ],
        send: async (values) => {
          const features = FEATURES.filter((name) => values[`feature_${name}`]);
          isSaving = true;
          try {
            await patch(at, { name: values.name, version: values.version, rate_limit: values.rate_limit, record_quota: values.record_quota, features });
            await refresh();
          } finally {
            isSaving = false;
          }
          return 'Saved. It applies from the next request on.';
        },
      });
    const node = [
      h('p', { class: 'crumb' }, link('accounts', 'Accounts')),
      title,
      said,
      made,
      card('Account', about, change),
      card('API keys', keys.node, button('Add a key', async () => {
        const answer = await act(() => post(`${at}/keys`));
        if (answer) show('The new API key', answer.api_key);
      })),
      card('Callback secrets', secrets.node, button('Add a callback secret', async () => {
        const answer = await act(() => post(`${at}/callback_secrets`));
        if (answer) show('The new callback secret', answer.secret);
      })),
    ];
    return { node, refresh, wants: (name, data) => name === 'changed' && data.kinds.includes('accounts') };
  },
};
