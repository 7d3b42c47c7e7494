// The carriers that calls of the platform's customers go out through, and whether they answer.

import { optional, post } from '../api.js';
import { announce, button, empty, h, heading, none, notice, pill, replace } from '../dom.js';
import { plural, time } from '../format.js';
import { serverNow } from '../live.js';
import { table } from '../table.js';

const TONES = { healthy: 'good', unhealthy: 'bad' };

export const providers = {
  path: 'providers',
  title: 'Providers',
  show() {
    const said = h('div');
    const rows = table({
      caption: 'Providers, newest first',
      key: (provider) => provider.id,
      nothing: () => empty('There is no provider.', 'A provider is created with POST /v1.0/providers, or set up at a carrier with POST /v1.0/providers/setup.'),
      columns: [
        { title: 'Name', cell: (provider) => provider.name || none() },
        { title: 'Health', cell: (provider) => pill(provider.health_status, TONES[provider.health_status]) },
        { title: 'Checked', cell: (provider) => time(provider.health_checked_at, serverNow()) },
        { title: 'Host', cell: (provider) => h('code', {}, provider.hostname) },
        { title: 'Prefix', cell: (provider) => provider.tech_prefix || none() },
        { title: 'Codecs', cell: (provider) => provider.codecs || 'any' },
        { title: 'Credentials', cell: (provider) => (provider.metadata?.sip_credentials ? 'yes' : 'none') },
        { title: 'Warning', class: 'why-cell', cell: (provider) => (provider.metadata?.accepts_every_address ? h('span', { class: 'warn-text' }, 'Its trunk accepted calls from any address at the last check of the carrier.') : none()) },
      ],
    });
    async function refresh() {
      const found = await optional('/providers');
      if (!found) {
        replace(said, notice('plain', 'This server was built without VoIPBIN’s side, so it has no providers.'));
        return;
      }
      rows.update(found.providers);
    }
    const probe = button('Check all now', async () => {
      probe.disabled = true;
      replace(said, notice('plain', 'The server asks every provider and waits for the answers.'));
      try {
        const { probed } = await post('/providers/probe');
        const text = `${plural(probed, 'provider')} checked.`;
        replace(said, notice('good', text));
        announce(text);
        await refresh();
      } catch (error) {
        replace(said, notice('bad', error.message));
      } finally {
        probe.disabled = false;
        // A disabled button loses the focus.
        if (document.activeElement === document.body) probe.focus();
      }
    });
    return { node: [heading('Providers', 'An unhealthy provider does not answer OPTIONS. Calls are sent to it nevertheless.', probe), said, rows.node], refresh, wants: (name, data) => name === 'changed' && data.kinds.includes('providers') };
  },
};
