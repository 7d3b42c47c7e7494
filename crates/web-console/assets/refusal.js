// Words for the checks that a call passes, in their order, and for its outcome.

import { h, pill } from './dom.js';
import { sentence } from './format.js';

export const CHECKS = {
  source: 'Source address',
  tech_prefix: 'Tech prefix',
  digest: 'Digest credentials',
  trunk: 'Trunk of the request',
  request: 'Form of the request',
  status: 'Status of the trunk',
  recording: 'Recording header',
  number: 'Dialled number',
  emergency: 'Emergency calling',
  destination: 'Destination',
  cli: 'Caller number',
  route: 'Rate and funds',
  media: 'Media',
  capacity: 'Capacity',
};

export const checkName = (check) => CHECKS[check] ?? check;

export const outcome = (record) => {
  if (record.check) return pill('refused', 'bad');
  return record.success ? pill('answered', 'good') : pill('not answered', 'warn');
};

const TONES = { admitted: 'good', refused: 'bad', challenged: 'plain', challenge_unanswered: 'warn', ended: 'plain' };
export const attemptPill = (attempt) => pill(attempt.outcome.replaceAll('_', ' '), TONES[attempt.outcome] ?? 'warn');

// Why a call was refused: the check, the sentence, and the configured and the received value.
export function whyRefused({ check, code, disconnect_code: other, configured, received, explanation }, title = 'Why it was refused') {
  return h(
    'section',
    { class: 'why', 'aria-labelledby': 'why-title' },
    h('h2', { id: 'why-title' }, title),
    h(
      'p',
      { class: 'why-check' },
      check && pill(checkName(check), 'bad'),
      (code ?? other) && h('span', { class: 'quiet' }, `SIP ${code ?? other}`),
    ),
    h('p', { class: 'why-sentence' }, sentence(explanation)),
    (configured || received) &&
      h(
        'dl',
        { class: 'versus' },
        h('div', {}, h('dt', {}, 'The trunk requires'), h('dd', {}, configured ?? '–')),
        h('div', {}, h('dt', {}, 'The call had'), h('dd', {}, received ?? '–')),
      ),
  );
}
