// The server itself: its clock, the nodes of its database, and the messages that reached its SIP listener.

import { get, optional, post } from '../api.js';
import { announce, button, card, empty, facts, h, heading, none, notice, pill, replace } from '../dom.js';
import { form } from '../form.js';
import { count, time } from '../format.js';
import { table } from '../table.js';

const COUNTS = [
  ['admitted', 'Admitted'],
  ['refused', 'Refused'],
  ['challenged', 'Challenged'],
  ['unrecorded', 'Refused without a record, because there were too many'],
  ['untraced', 'Not among the attempts, because there were too many'],
  ['unknown_answered', 'Requests of strangers, answered'],
  ['unknown_unanswered', 'Requests of strangers, not answered'],
  ['unreadable', 'Messages that could not be read'],
  ['guesses_unanswered', 'Wrong digests, not answered'],
  ['dropped', 'Requests dropped, because their source had too many at once'],
];

export const system = {
  path: 'system',
  title: 'Clock and nodes',
  show() {
    const now = h('div');
    const said = h('div', { 'aria-live': 'polite' });
    const messages = h('div');
    const toggle = button('', () => act(toggle.dataset.frozen === 'yes' ? '/clock/resume' : '/clock/freeze'));
    const nodes = table({
      caption: 'Nodes of the database',
      key: (node) => node.number,
      nothing: () => empty('No node is known.', 'A server is a node from its first heartbeat on.'),
      columns: [
        { title: 'Node', cell: (node) => [String(node.number), ' ', node.own && pill('this one', 'good')] },
        { title: 'State', cell: (node) => (node.heir === null ? pill('alive', 'good') : pill(`dead, node ${node.heir} settles its calls`, 'bad')) },
        { title: 'Last heartbeat', cell: (node) => time(node.last_heartbeat) },
        { title: 'Answered calls', class: 'number', cell: (node) => count(node.calls) },
      ],
    });
    async function act(path, body) {
      try {
        const state = await post(path, body);
        showClock(state);
        const text = state.frozen ? 'The clock stands still.' : 'The clock runs.';
        replace(said, notice('good', text, ' It is ', time(state.now), '.'));
        announce(text);
      } catch (error) {
        replace(said, notice('bad', error.message));
      }
    }
    function showClock({ now: at, frozen }) {
      replace(now, facts([['Time', time(at)], ['State', frozen ? pill('frozen', 'warn') : pill('running', 'good')]]));
      toggle.textContent = frozen ? 'Let it run' : 'Freeze it now';
      toggle.dataset.frozen = frozen ? 'yes' : 'no';
    }
    async function refresh() {
      const [clock, list, counts] = await Promise.all([get('/clock'), get('/nodes'), optional('/calls/counts')]);
      showClock(clock);
      nodes.update(list.nodes);
      replace(messages, counts ? facts(COUNTS.map(([name, text]) => [text, counts[name] === undefined ? none() : count(counts[name])])) : empty('This server takes no calls.', 'Start it with ', h('code', {}, '--sip-listen'), ' to take them.'));
    }
    const advance = form({
      label: 'Move the clock forward',
      submit: 'Move forward',
      fields: [
        { legend: 'Move it forward' },
        { name: 'amount', label: 'Amount', kind: 'number', required: true, what: 'a whole number', value: '1' },
        { name: 'unit', label: 'Unit', kind: 'select', options: [['1', 'seconds'], ['60', 'minutes'], ['3600', 'hours'], ['86400', 'days']], value: '3600' },
      ],
      send: async ({ amount, unit }) => {
        const state = await post('/clock/advance', { seconds: typeof amount === 'number' ? amount * Number(unit) : amount });
        showClock(state);
        return h('span', {}, notice('good', 'The clock was moved: it is ', time(state.now), '.'));
      },
    });
    return {
      node: [
        heading('Clock and nodes', 'All accounts share one clock. It cannot be moved back, and a restart resets it.'),
        h('div', { class: 'grid' }, card('Clock', now, h('div', { class: 'actions' }, toggle), said, advance.node), card('What reached the SIP listener since the start', messages)),
        card('Nodes of the database', nodes.node),
      ],
      refresh,
      wants: (name) => name === 'attempt' || name === 'call',
    };
  },
};
