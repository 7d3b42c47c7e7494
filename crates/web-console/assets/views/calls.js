// The active calls.

import { get, Refusal, remove } from '../api.js';
import { announce, button, confirmed, empty, h, heading, link, none, notice, pill, replace } from '../dom.js';
import { count, duration, plural, time } from '../format.js';
import { serverNow } from '../live.js';
import { table } from '../table.js';

// Maximum number of rows: each of thousands would be made anew every second.
const MOST = 200;

export const calls = {
  path: 'calls',
  title: 'Live calls',
  show({ reread }) {
    const said = h('div');
    const more = h('div');
    let ticking;
    let isOver = false;
    const lengths = () => {
      for (const length of document.querySelectorAll('[data-since]')) length.textContent = duration((serverNow() - Date.parse(length.dataset.since)) / 1000);
    };
    const rows = table({
      caption: 'Live calls',
      key: (call) => call.id,
      nothing: () => empty('No call is active.', 'A call appears here when its INVITE passes all checks. Refused ones are among the ', link('attempts', 'attempts'), '.'),
      columns: [
        { title: 'Call', cell: (call) => [h('span', { class: 'number' }, call.src_number || 'no number'), ' → ', h('span', { class: 'number' }, call.dst_number)] },
        { title: 'State', cell: (call) => (call.time_connect ? pill('answered', 'good') : pill('being set up', 'warn')) },
        { title: 'Length', class: 'number', cell: (call) => h('span', { 'data-since': call.time_connect ?? call.time_start }, duration((serverNow() - Date.parse(call.time_connect ?? call.time_start)) / 1000)) },
        { title: 'Trunk', cell: (call) => call.trunk_name },
        { title: 'From', cell: (call) => h('code', {}, call.source) },
        { title: 'Media', cell: (call) => call.no_audio ?? (call.media.codec ? `${call.media.codec}, ${count(call.media.packets_received)} packets in` : none()) },
        { title: 'Since', cell: (call) => time(call.time_start, serverNow()) },
        { title: 'Messages', cell: (call) => link(`records/${encodeURIComponent(call.call_id)}`, 'Ladder', h('span', { class: 'unseen' }, ` of the call to ${call.dst_number}`)) },
        { title: 'End', cell: (call) => button(['Hang up'], () => hangUp(call), { 'aria-label': `Hang up the call to ${call.dst_number}`, class: 'danger small' }) },
      ],
    });

    async function hangUp(call) {
      if (!(await confirmed('Hang up this call?', `The call from ${call.src_number || 'no number'} to ${call.dst_number} ends with a BYE to both sides.`, 'Hang up'))) return;
      try {
        await remove(`/calls/active/${call.id}`);
        replace(said, notice('good', `The call to ${call.dst_number} was ended.`));
        announce(`The call to ${call.dst_number} was ended.`);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        replace(said, notice('bad', error.status === 404 ? 'The call had already ended.' : error.message));
      }
      document.querySelector('h1')?.focus();
      await reread();
    }

    async function refresh() {
      const { calls: list } = await get('/calls/active');
      if (isOver) return;
      rows.update(list.slice(-MOST));
      replace(more, list.length > MOST && notice('plain', `The newest ${MOST} of ${plural(list.length, 'live call')} are listed.`));
      clearInterval(ticking);
      if (list.length > 0) ticking = setInterval(() => document.hidden || lengths(), 1_000);
    }
    return {
      node: [heading('Live calls', 'Calls of all nodes that are being set up or answered.'), said, rows.node, more],
      refresh,
      end: () => {
        isOver = true;
        clearInterval(ticking);
      },
      wants: (name, data) => (name === 'attempt' ? ['admitted', 'ended'].includes(data.outcome) : name === 'call' || (name === 'changed' && data.kinds.includes('calls'))),
    };
  },
};
