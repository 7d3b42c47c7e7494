// The SIP messages of a call as a ladder: time runs downwards, the peer is on the left and the server on the right.

import { h, s } from './dom.js';
import { clipped, time } from './format.js';

const MOST_LETTERS = 60;

const firstLine = ({ text }) => text.split(/\r?\n/, 1)[0];

// `INVITE`, or `403 Forbidden`.
const labelOf = (line) => clipped(line.startsWith('SIP/2.0 ') ? line.slice(8) : line.split(' ', 1)[0], MOST_LETTERS);

const tone = (name) => (/^[456]\d\d/.test(name) ? 'bad' : /^2\d\d/.test(name) ? 'good' : 'plain');

// The style of a message with this first line.
export const messageTone = (line) => tone(labelOf(line));

// The line is stretched to its width; the arrowhead is not.
const arrow = (isSent, kind) => [
  s('svg', { viewBox: '0 0 100 10', preserveAspectRatio: 'none', class: `arrow ${kind}`, 'aria-hidden': 'true' }, s('line', { x1: 0, x2: 100, y1: 5, y2: 5 })),
  s('svg', { viewBox: '0 0 9 10', class: `arrow-head ${kind}`, 'aria-hidden': 'true' }, s('path', { d: isSent ? 'M9 1 L0 5 L9 9 Z' : 'M0 1 L9 5 L0 9 Z' })),
];

export function ladder({ messages, omitted }) {
  const start = Date.parse(messages[0].at);
  const peers = [...new Set(messages.map(({ remote }) => remote))];
  const locals = [...new Set(messages.map(({ local }) => local))];
  const step = (message) => {
    const name = labelOf(firstLine(message));
    const isSent = message.direction === 'sent';
    const kind = tone(name);
    const after = `+${((Date.parse(message.at) - start) / 1000).toFixed(3)} s`;
    return h(
      'li',
      { class: `step ${isSent ? 'sent' : 'received'}` },
      h(
        'details',
        {},
        h(
          'summary',
          {},
          h('span', { class: 'step-time', title: message.at }, after),
          h('span', { class: 'step-way' }, h('span', { class: `step-name ${kind}` }, name), arrow(isSent, kind), h('span', { class: 'unseen' }, isSent ? ` sent to ${message.remote}` : ` received from ${message.remote}`)),
          h('span', { class: 'quiet step-about' }, `${message.transport.toUpperCase()}, ${message.bytes} bytes${peers.length > 1 ? `, ${message.remote}` : ''}`),
        ),
        h('pre', { tabindex: '0', role: 'region', 'aria-label': `Text of ${name}` }, message.text, message.cut && '\n… (the rest was not stored)'),
      ),
    );
  };
  return h(
    'div',
    { class: 'ladder' },
    h('div', { class: 'ladder-ends' }, h('span', {}, 'Peer ', h('code', {}, peers.join(', '))), h('span', {}, 'Server ', h('code', {}, locals.join(', ')))),
    h('ol', {}, messages.map(step)),
    omitted > 0 && h('p', { class: 'quiet' }, `${omitted} further messages were dropped, because there were too many.`),
    h('p', { class: 'quiet' }, 'First message at ', time(messages[0].at), '. Open a message to read its text; passwords and dialled digits are masked.'),
  );
}
