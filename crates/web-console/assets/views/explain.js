// The decision on a call, and its reason, without placing it.

import { post } from '../api.js';
import { announce, empty, facts, h, heading, pill, replace } from '../dom.js';
import { form } from '../form.js';
import { sentence } from '../format.js';
import { checkName, whyRefused } from '../refusal.js';

const TONES = { admitted: 'good', refused: 'bad', challenged: 'warn' };

export const explain = {
  path: 'explain',
  title: 'Explain a call',
  show({ params }) {
    const result = h('div', { class: 'stack', id: 'explanation' }, empty('Nothing to explain yet.', 'Fill in the form. The answer names the check that fails, what is configured, what the call has, and what would pass.'));
    const { node } = form({
      label: 'The call',
      submit: 'Explain',
      fields: [
        { name: 'source', label: 'Source address', required: true, what: 'the address that the INVITE comes from', hint: 'Where the INVITE comes from, such as 203.0.113.7.', value: params.source },
        { name: 'to', label: 'Dialled number', required: true, what: 'the dialled number', hint: 'Digits with the tech prefix, or a whole SIP or tel URI.', value: params.to },
        { name: 'from', label: 'Caller number', hint: 'The number in From.', value: params.from },
        { name: 'username', label: 'Digest username', hint: 'As if its password were right. Empty: no digest is sent.', value: params.username },
        { name: 'asserted_identity', label: 'P-Asserted-Identity', hint: 'The number in that header.' },
        { name: 'twilio_account_sid', label: 'Twilio account SID', hint: 'For trunks that authenticate by Twilio.' },
        { name: 'sdp', label: 'Session description', kind: 'area', rows: 4, wide: true, hint: 'The SDP of the offer. Empty: an ordinary offer of unencrypted G.711.' },
      ],
      send: async (values) => {
        const question = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
        const answer = await post('/explain', question);
        replace(result, shown(answer));
        announce(`The call would be ${answer.verdict}. ${sentence(answer.explanation)}`);
        return undefined;
      },
    });
    return { node: [heading('Explain a call', 'The server decides as it would for a real call, and places none.'), h('div', { class: 'split' }, node, result)] };
  },
};

function shown(answer) {
  const steps = [...answer.passed.map((name) => [name, true]), ...(answer.check ? [[answer.check, false]] : [])];
  return [
    h('p', { class: 'verdict' }, 'The call would be ', pill(answer.verdict, TONES[answer.verdict]), h('span', { class: 'quiet' }, `SIP ${answer.code} ${answer.phrase}`)),
    answer.verdict === 'admitted' ? h('p', { class: 'why-sentence' }, sentence(answer.explanation)) : whyRefused({ ...answer, code: undefined }, `Why it would be ${answer.verdict}`),
    answer.nearest_allowed && h('p', {}, 'The nearest allowed network is ', h('code', {}, answer.nearest_allowed), '.'),
    answer.no_audio && h('p', { class: 'warn-text' }, sentence(answer.no_audio)),
    facts([
      ['Trunk', answer.trunk_name],
      ['Destination', answer.destination],
      ['Caller number shown', answer.cli],
      ['The callee', sentence(answer.far_end)],
    ]),
    steps.length > 0 && h(
      'div',
      {},
      h('h3', {}, 'Checks, in their order'),
      h('ol', { class: 'checks' }, steps.map(([name, passed]) => h('li', { class: passed ? 'passed' : 'failed' }, checkName(name), h('span', { class: 'unseen' }, passed ? ': passed' : ': failed')))),
    ),
  ].filter(Boolean);
}
