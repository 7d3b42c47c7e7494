// One trunk, and its settings as a form, under the rules for requests of its owner.

import { get, patch, post, query } from '../api.js';
import { spendingMeter } from '../chart.js';
import { card, code, empty, facts, h, heading, link, none, notice, replace } from '../dom.js';
import { form } from '../form.js';
import { time } from '../format.js';
import { serverNow } from '../live.js';
import { outcome } from '../refusal.js';
import { trunkState } from './trunks.js';

const choice = (...names) => names.map((name) => [name, name.replaceAll('_', ' ')]);
const NESTED = ['allowed_sip_ips', 'tech_prefix', 'twilio_account_sid'];

const FIELDS = [
  { legend: 'What it is' },
  { name: 'name', label: 'Name', required: true },
  { name: 'external_reference_id', label: 'External reference', empty: null, hint: 'Its identifier in a system of your own.' },
  { name: 'status', label: 'Status', kind: 'select', options: choice('active', 'blocked') },
  { legend: 'Limits' },
  { name: 'capacity_limit', label: 'Calls at once', kind: 'number', empty: null, hint: '1 to 32767. Empty: no limit.' },
  { name: 'threshold_amount', label: 'Spending threshold, US dollars', hint: 'For 24 hours. The trunk is blocked when it is reached.', empty: null },
  { legend: 'Who may call' },
  { name: 'allowed_sip_ips', label: 'Allowed SIP addresses', kind: 'lines', hint: 'Addresses or networks, one a line.', of: ['credentials_and_ip', 'ip_only'] },
  { name: 'tech_prefix', label: 'Tech prefix', empty: null, hint: 'Dialled before the number. Empty: none.', of: ['credentials_and_ip'] },
  { name: 'twilio_account_sid', label: 'Twilio account SID', of: ['twilio'] },
  { legend: 'Numbers' },
  { name: 'on_cli_mismatch_action', label: 'Call with a wrong caller number', kind: 'select', options: choice('reject_call', 'send_original_cli', 'replace_cli', 'randomize_cli') },
  { name: 'allow_any_did_as_cli', label: 'Any DID of the account may be the caller number', kind: 'check' },
  { name: 'default_dst_action', label: 'Destinations', kind: 'select', options: choice('allow_all', 'reject_all') },
  { name: 'dst_prefixes', label: 'Except these prefixes', kind: 'lines', hint: 'Digits, one a line.' },
  { legend: 'Media' },
  { name: 'media_encryption_mode', label: 'Encryption', kind: 'select', options: choice('disabled', 'srtp_sdes', 'srtp_dtls', 'zrtp') },
  { name: 'allowed_rtp_ips', label: 'Allowed media addresses', kind: 'lines', empty: null, hint: 'One a line. Empty: any.' },
  { name: 'rtp_timeout', label: 'Seconds without media until a call ends', kind: 'number', hint: '30 to 600.' },
  { name: 'force_symmetric_rtp', label: 'Send media to where it comes from', kind: 'check' },
  { name: 'rtp_ping', label: 'Send an empty packet when a call begins', kind: 'check' },
  { legend: 'Callback' },
  { name: 'callback_url', label: 'Callback URL', empty: null, wide: true, hint: 'Notified when the trunk is blocked or opens again. The account needs a callback secret. A user and a password in the URL are not shown.' },
];

export const trunkView = {
  path: 'trunk',
  title: 'Trunk',
  show({ rest: [account, id] }) {
    const at = `/accounts/${encodeURIComponent(account)}/records/voice_out_trunks/${encodeURIComponent(id)}`;
    const title = h('div');
    const now = h('div');
    const secret = h('div');
    const settings = h('div');
    const recent = h('div');
    let shown;
    let isSaving = false;

    async function refresh() {
      const [{ data, included }, { calls }] = await Promise.all([get(`${at}?include=dids`), get(`/calls${query({ trunk: id, limit: 5 })}`)]);
      const { attributes, meta } = data;
      const isFirst = !shown;
      const isChanged = JSON.stringify(shown) !== JSON.stringify(attributes);
      shown = attributes;
      replace(now, facts([
        ['Status', trunkState({ status: attributes.status, reached: attributes.threshold_reached })],
        ['Spent in 24 hours', spendingMeter(meta?.spent_amount, attributes.threshold_amount)],
        ['Caller numbers', dids(attributes, included)],
        ['Authentication', attributes.authentication_method.type.replaceAll('_', ' ')],
        ['Created', time(attributes.created_at)],
        ['Id', code(data.id)],
      ]));
      replace(recent, calls.length > 0
        ? h('ul', { class: 'feed' }, calls.map((record) => h('li', {}, h('p', {}, outcome(record), ' ', link(`records/${encodeURIComponent(record.call_id)}`, record.explanation)), h('p', { class: 'quiet' }, time(record.time_end, serverNow()), ` · to ${record.dst_number}`))))
        : empty('The trunk has no record of a call.', link('explain', 'Explain a call'), ' to see what would become of one.'));
      if (!isChanged) return;
      if (isFirst) {
        replace(title, heading(attributes.name));
        title.querySelector('h1').focus({ preventScroll: true });
      } else replace(title.querySelector('h1'), attributes.name);
      // A field that is being edited is not replaced.
      if (isFirst || !(isSaving || settings.contains(document.activeElement))) {
        replace(settings, edit(attributes));
        replace(secret, credentials(attributes.authentication_method));
      }
    }

    function edit(attributes) {
      const { type } = attributes.authentication_method;
      let flat = flatten(attributes);
      const has = (field) => field.legend || (field.of ? field.of.includes(type) : field.name in attributes);
      const fields = FIELDS.filter(has).map((field) => ({ ...field, value: flat[field.name] }));
      const { node } = form({
        label: 'Settings of the trunk',
        submit: 'Save the changes',
        fields,
        send: async (values) => {
          const changed = differences(values, flat, fields);
          if (Object.keys(changed).length === 0) return notice('plain', 'Nothing differs from what is stored.');
          const inside = Object.keys(changed).filter((name) => NESTED.includes(name));
          const networks = type === 'ip_only' ? changed.allowed_sip_ips : undefined;
          if (networks) delete changed.allowed_sip_ips;
          else if (inside.length > 0) {
            // The object is replaced as a whole: the rest of it is what was read last. Credentials are the service's.
            const nested = shown.authentication_method.attributes ?? {};
            const kept = Object.fromEntries(NESTED.filter((name) => name in nested).map((name) => [name, nested[name]]));
            for (const name of inside) {
              kept[name] = changed[name];
              delete changed[name];
            }
            changed.authentication_method = { type, attributes: kept };
          }
          isSaving = true;
          try {
            if (Object.keys(changed).length > 0) await patch(at, { attributes: changed });
            // Staff alone sets the addresses of such a trunk.
            if (networks) await post(`/accounts/${account}/trunks/${id}/ip_only`, { allowed_sip_ips: networks });
            await refresh();
            flat = flatten(shown);
          } finally {
            isSaving = false;
          }
          return 'Saved. It applies from the next call on.';
        },
      });
      return node;
    }
    const node = [
      h('p', { class: 'crumb' }, link('trunks', 'Trunks')),
      title,
      h('div', { class: 'grid' }, card('Now', now, secret, h('p', {}, link(`audit?type=voice_out_trunks&id=${encodeURIComponent(id)}`, 'Who changed it when'))), card('Latest calls', recent)),
      card('Settings', settings),
    ];
    return { node, refresh, wants: (name, data) => (name === 'call' ? data.trunk_id === id : name === 'changed' && data.kinds.includes('voice_out_trunks')) };
  },
};

const flatten = (attributes) => ({ ...attributes, ...Object.fromEntries(NESTED.map((name) => [name, attributes.authentication_method.attributes?.[name]])) });

function dids({ allow_any_did_as_cli: any }, included = []) {
  if (any) return 'any DID of the account';
  const numbers = included.filter(({ type }) => type === 'dids').map(({ attributes }) => attributes.number);
  return numbers.length > 0 ? numbers.join(', ') : none();
}

// The password is left out of all answers of the control API.
function credentials({ attributes }) {
  if (!attributes?.username) return undefined;
  return facts([['Username', code(attributes.username)], ['Password', 'shown to its owner alone, by DIDWW’s API']]);
}

function differences(values, before, fields) {
  const same = (field, value) => {
    const old = before[field.name] ?? (field.empty === null ? null : undefined);
    if (Array.isArray(value)) return JSON.stringify(value) === JSON.stringify(old ?? []);
    if (field.kind === 'check') return value === Boolean(old);
    return String(value ?? '') === String(old ?? '');
  };
  const named = fields.filter(({ name }) => name);
  return Object.fromEntries(named.filter((field) => !same(field, values[field.name])).map(({ name }) => [name, values[name]]));
}
