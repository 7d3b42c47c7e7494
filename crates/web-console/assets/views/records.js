// Records of calls that ended or were refused, recent attempts, and one call with all of its stored data.

import { get, optional, query, send } from '../api.js';
import { button, card, empty, facts, h, heading, link, none, notice, replace } from '../dom.js';
import { filters } from '../form.js';
import { duration, money, sentence, time, words } from '../format.js';
import { ladder } from '../ladder.js';
import { serverNow } from '../live.js';
import { attemptPill, checkName, CHECKS, outcome, whyRefused } from '../refusal.js';
import { table } from '../table.js';

const LIMIT = 200;
const every = [['', 'All']];
const checks = [...every, ...Object.entries(CHECKS)];
const toCall = (callId, ...children) => (callId ? link(`records/${encodeURIComponent(callId)}`, children) : children);

export const records = {
  path: 'records',
  title: 'Call records',
  show({ params, go, account }) {
    const rows = table({
      caption: 'Call records, newest first',
      key: (record) => record.id,
      nothing: () =>
        Object.keys(params).length > 0
          ? empty('No record matches the filter.', 'Clear it to see all records.')
          : empty('No call has a record yet.', 'A record is written when a call ends, or when a call that names a trunk is refused. Calls of unknown senders are among the ', link('attempts', 'attempts'), '.'),
      columns: [
        { title: 'Ended', cell: (record) => toCall(record.call_id, time(record.time_end, serverNow())) },
        { title: 'Outcome', cell: outcome },
        { title: 'From', class: 'number', cell: (record) => record.src_number ?? (record.original_src_number || none()) },
        { title: 'To', class: 'number', cell: (record) => record.dst_number },
        { title: 'Trunk', cell: (record) => record.trunk_name },
        { title: 'Why', class: 'why-cell', cell: (record) => [record.check && h('span', { class: 'check-name' }, checkName(record.check), ': '), sentence(record.no_audio ?? record.explanation)] },
        { title: 'Length', class: 'number', cell: (record) => (record.success ? duration(record.duration) : none()) },
        { title: 'Price', class: 'number', cell: (record) => (record.success ? money(record.price) : none()) },
      ],
    });
    const chosen = filters('Filter of the records', [
      { name: 'check', label: 'Refused by', kind: 'select', options: checks, value: params.check },
      { name: 'number', label: 'Number', value: params.number },
      { name: 'source', label: 'Source address', value: params.source },
      { name: 'call_id', label: 'Call-ID', value: params.call_id },
    ], (values) => go('records', values));
    const refresh = async () => rows.update((await get(`/calls${query({ ...params, account, limit: LIMIT })}`)).calls);
    return { node: [heading('Call records', `The newest ${LIMIT} calls that ended or were refused, and why.`), chosen, rows.node], refresh, wants: (name) => name === 'call' };
  },
};

export const attempts = {
  path: 'attempts',
  title: 'Attempts',
  show({ params, go, account }) {
    const rows = table({
      caption: 'Recent attempts, newest first',
      key: (attempt) => attempt.number,
      nothing: () =>
        Object.keys(params).length > 0
          ? empty('No attempt matches the filter.', 'Clear it to see all attempts.')
          : empty('There was no attempt to call since the start.', 'Every INVITE appears here, also those of unknown senders. ', link('explain', 'Explain a call'), ' to see what would become of one.'),
      columns: [
        { title: 'Time', cell: (attempt) => toCall(attempt.call_id, time(attempt.time, serverNow())) },
        { title: 'Outcome', cell: attemptPill },
        { title: 'Source', cell: (attempt) => h('code', {}, attempt.source) },
        { title: 'Trunk', cell: (attempt) => attempt.trunk_name ?? none() },
        { title: 'Why', class: 'why-cell', cell: (attempt) => [attempt.check && h('span', { class: 'check-name' }, checkName(attempt.check), ': '), sentence(attempt.explanation)] },
        { title: 'SIP', class: 'number', cell: (attempt) => attempt.code ?? none() },
      ],
    });
    const outcomes = ['admitted', 'refused', 'challenged', 'challenge_unanswered', 'unreadable', 'oversized', 'ended'];
    const chosen = filters('Filter of the attempts', [
      { name: 'outcome', label: 'Outcome', kind: 'select', options: [...every, ...outcomes.map((name) => [name, sentence(words(name))])], value: params.outcome },
      { name: 'check', label: 'Refused by', kind: 'select', options: checks, value: params.check },
      { name: 'source', label: 'Source address', value: params.source },
    ], (values) => go('attempts', values));
    const refresh = async () => rows.update((await get(`/attempts${query({ ...params, account, limit: LIMIT })}`)).attempts);
    return { node: [heading('Attempts', 'The outcome of each INVITE since the start, also of those that leave no record. They are kept in memory.'), chosen, rows.node], refresh, wants: (name) => name === 'attempt' };
  },
};

export const recordView = {
  path: 'record',
  title: 'Call',
  show({ rest: [callId] }) {
    const place = h('div', { class: 'stack' });
    const said = h('div');
    let before;

    async function refresh() {
      const named = encodeURIComponent(callId);
      const [found, tried, messages, active] = await Promise.all([
        get(`/calls${query({ call_id: callId, limit: 10 })}`),
        optional(`/attempts${query({ call_id: callId, limit: 50 })}`),
        optional(`/calls/${named}/messages`),
        optional('/calls/active'),
      ]);
      const now = JSON.stringify([found, tried, messages?.messages.length]);
      if (now === before) return;
      before = now;
      const record = found.calls[0];
      const list = tried?.attempts ?? [];
      const refusal = record?.check ? record : list.find((attempt) => attempt.outcome === 'refused' || attempt.outcome === 'challenge_unanswered');
      const call = active?.calls.find((one) => one.call_id === callId);
      // An open message stays open when later ones are added.
      const open = [...place.querySelectorAll('details')].map((step) => step.open);
      replace(
        place,
        refusal && whyRefused(refusal),
        call && card('Active now', h('p', {}, 'This call is one of the ', link('calls', 'live calls'), '.')),
        record && card('Record', recordFacts(record, Boolean(refusal))),
        !record && !call && list.length === 0 && !messages && empty('No data of this call is stored.', 'Attempts and messages are kept in memory for a while; records as long as the server is configured to. ', link('records', 'All records')),
        card('SIP messages', messages ? [ladder(messages), h('p', {}, button('Download a capture for Wireshark', () => download(callId).catch((error) => replace(said, notice('bad', error.message)))))] : empty('No message of this call is stored.', 'The server keeps the messages of recent calls alone.')),
        list.length > 0 && card('Attempts with this Call-ID', h('ol', { class: 'feed' }, list.map((attempt) => h('li', {}, h('p', {}, attemptPill(attempt), ' ', sentence(attempt.explanation)), h('p', { class: 'quiet' }, time(attempt.time, serverNow()), ` · from ${attempt.source}`))))),
      );
      place.querySelectorAll('details').forEach((step, index) => {
        step.open = open[index] ?? false;
      });
    }
    const node = [h('p', { class: 'crumb' }, link('records', 'Call records')), heading('Call', h('code', {}, callId)), said, place];
    return { node, refresh, wants: (name, data) => ['attempt', 'call'].includes(name) && data.call_id === callId };
  },
};

function recordFacts(record, isRefused) {
  const media = record.media ?? {};
  return [
    h('p', {}, outcome(record), ' ', isRefused ? '' : sentence(record.explanation)),
    record.no_audio && h('p', { class: 'warn-text' }, sentence(record.no_audio)),
    facts([
      ['From', record.src_number ?? record.original_src_number],
      ['Sent caller number', record.src_number && record.src_number !== record.original_src_number ? record.original_src_number : ''],
      ['To', record.dst_number],
      ['Trunk', record.trunk_name],
      ['Source', h('code', {}, `${record.source_ip}:${record.source_port} ${record.source_protocol}`)],
      ['Started', time(record.time_start)],
      ['Answered', record.time_connect && time(record.time_connect)],
      ['Ended', time(record.time_end)],
      ['Length', record.success ? `${duration(record.duration)}, billed ${record.billing_duration} s` : ''],
      ['Price', record.success ? money(record.price) : ''],
      ['Cause', `${record.disconnect_cause}, SIP ${record.disconnect_code} ${record.disconnect_reason}`],
      ['Hung up by', words(record.hung_up_by)],
      ['Codec', media.codec && `${media.codec} ${media.encryption ?? ''}`],
      ['Packets', record.media && `${media.packets_received} in, ${media.packets_sent} out, ${media.packets_lost} lost`],
      ['User agent', record.user_agent],
    ]),
    h('p', {}, link(`explain?${new URLSearchParams({ source: record.source_ip, to: record.dst_number, from: record.original_src_number })}`, 'Explain the same call as the trunk is configured now')),
  ];
}

async function download(callId) {
  const answer = await send('GET', `/calls/${encodeURIComponent(callId)}/messages?format=pcap`);
  const url = URL.createObjectURL(await answer.blob());
  h('a', { href: url, download: 'call.pcapng' }).click();
  URL.revokeObjectURL(url);
}

