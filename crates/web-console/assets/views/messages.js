// The newest SIP messages of all calls, by their first lines.

import { optional, query } from '../api.js';
import { empty, h, heading, link, replace } from '../dom.js';
import { filters } from '../form.js';
import { clipped, count, time } from '../format.js';
import { messageTone } from '../ladder.js';
import { serverNow } from '../live.js';
import { numbered, table } from '../table.js';

const MOST = 200;
const MOST_LETTERS = 200;

export const messages = {
  path: 'messages',
  title: 'SIP messages',
  show({ params, go }) {
    const place = h('div');
    const rows = table({
      caption: 'SIP messages, newest first',
      key: (message) => message.key,
      nothing: () =>
        Object.keys(params).length > 0
          ? empty('No message matches the filter.', 'Clear it to see all messages.')
          : empty('No SIP message is stored.', 'Each message of a call is, while there is room. ', link('explain', 'Explain a call'), ' to see what would become of one.'),
      columns: [
        { title: 'Time', cell: (message) => link(`records/${encodeURIComponent(message.call_id)}`, time(message.at, serverNow()), h('span', { class: 'unseen' }, ', the call')) },
        { title: 'Message', class: 'why-cell', cell: ({ line }) => h('code', { class: `step-name ${messageTone(line)}` }, clipped(line, MOST_LETTERS)) },
        { title: 'Way', cell: ({ direction }) => (direction === 'sent' ? 'sent to' : 'received from') },
        { title: 'Peer', cell: ({ remote }) => h('code', {}, remote) },
        { title: 'Transport', cell: ({ transport }) => transport },
        { title: 'Bytes', class: 'number', cell: ({ bytes }) => count(bytes) },
        { title: 'Part of the server', cell: ({ stack }) => stack },
      ],
    });
    const chosen = filters('Filter of the messages', [
      { name: 'line', label: 'First line has', value: params.line },
      { name: 'peer', label: 'Address of the peer', value: params.peer },
    ], (values) => go('messages', values));
    async function refresh() {
      const found = await optional(`/messages${query({ ...params, limit: MOST })}`);
      if (!found) {
        replace(place, empty('This server stores no SIP messages.', 'It does while it listens for SIP, unless its setting ', h('code', {}, 'message_bytes'), ' is 0.'));
        return;
      }
      if (rows.node.parentNode !== place) replace(place, rows.node);
      rows.update(numbered(found.messages, ({ call_id: call, at, direction, line, bytes }) => [call, at, direction, line, bytes].join(' ')));
    }
    return {
      node: [heading('SIP messages', `The newest ${MOST} of all calls. Open one to see the ladder of its call; passwords and dialled digits are masked.`), chosen, place],
      refresh,
      wants: (name, data) => name === 'attempt' || name === 'call' || (name === 'changed' && data.kinds.includes('calls')),
    };
  },
};
