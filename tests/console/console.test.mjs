// The console in a real browser, with a real server and real calls.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { launch, Page } from './browser.mjs';
import { Server } from './server.mjs';
import { Caller } from './sip.mjs';

const BINARY = process.env.TRUNK_SERVER_BINARY;
const TOKEN = 'a control token of the tests';
const CALLER = '12025550144';
const PAGES = new URL('../../docs/', import.meta.url);
const STRANGER = '12025550199';
// Answered at once, and up until somebody hangs up.
const ANSWERED = '9990200';
const MARKUP = '<img src=x onerror=alert(1)><b>bold</b>';
const VIEWS = ['overview', 'calls', 'records', 'attempts', 'messages', 'explain', 'accounts', 'trunks', 'dids', 'deliveries', 'providers', 'journal', 'faults', 'latency', 'audit', 'system'];

let browser;
let server;
let caller;
let account;
let trunk;
let receiver;

before(async () => {
  assert.ok(BINARY, 'TRUNK_SERVER_BINARY names the built server');
  [browser, server] = await Promise.all([launch(), Server.start(BINARY, ['--allow-loopback-callbacks', '--journal', '200'])]);
  caller = await Caller.open(server.sip);
});

after(async () => {
  caller?.close();
  receiver?.close();
  await browser?.close();
  await server?.stop();
});

// A request to DIDWW's API.
const ask = (path, { headers, ...options } = {}) =>
  fetch(`${server.api}${path}`, { ...options, headers: { 'Api-Key': 'console-key', 'X-DIDWW-API-Version': '2026-04-16', Accept: 'application/vnd.api+json', ...headers } });

const live = (page) => page.page.locator('.live', { hasText: 'Live' }).waitFor();
const title = (page, text) => page.page.locator('h1', { hasText: text }).waitFor();

// The page of each test has no error, asks its own server alone, and puts no token into an address.
function checked(name, options, run) {
  test(name, async (context) => {
    const page = await Page.open(browser, options.server?.() ?? server, options);
    try {
      await run(page, context);
      assert.deepEqual(page.problems, []);
      const own = new URL(page.server.console).origin;
      for (const url of page.requests) {
        assert.ok(url.startsWith(`${own}/`) || url.startsWith(`blob:${own}/`), `a request to ${url}`);
        assert.ok(!url.includes(encodeURIComponent(TOKEN)), url);
      }
    } catch (error) {
      await page.screenshot(`failed-${name.replaceAll(/\W+/g, '-')}`).catch(() => {});
      throw error;
    } finally {
      await page.close();
    }
  });
}

checked('a new server is shown without a violation of axe, and each empty view says what to do', {}, async (page) => {
  for (const view of VIEWS) {
    await page.show(view);
    if (['accounts', 'explain', 'system'].includes(view)) continue;
    const said = await page.page.locator('.empty').first().innerText();
    assert.match(said, /\.\n+.+/s, `${view} is empty: ${said}`);
    assert.deepEqual(await page.violations(), [], `${view}, empty`);
    await page.screenshot(`empty-${view}`);
  }
});

test('an account, its trunk and its numbers are there', async () => {
  account = (await server.send('/accounts')).accounts[0].id;
  const authentication_method = { type: 'credentials_and_ip', attributes: { allowed_sip_ips: ['203.0.113.7'] } };
  trunk = await server.trunk({ name: 'Berlin office', allow_any_did_as_cli: true, on_cli_mismatch_action: 'reject_call', authentication_method });
  await server.trunk({ name: MARKUP, on_cli_mismatch_action: 'reject_call', threshold_amount: '0.5', authentication_method });
  await server.send(`/accounts/${account}/trunks/${trunk}/ip_only`, { allowed_sip_ips: ['127.0.0.1'] });
  await server.send(`/accounts/${account}/dids`, { dids: [{ number: CALLER, description: MARKUP }, { number: '442079460019', emergency_enabled: true }] });
  await server.send(`/accounts/${account}/callback_secrets`, {});
});

checked('the reason for a refused call is read from the page, while it happens', {}, async (page) => {
  await page.show('records');
  await page.page.locator('.live', { hasText: 'Live' }).waitFor();
  const { code, callId } = await caller.call(STRANGER, '442079460018');
  assert.equal(code, 403);
  // Nothing is reloaded: the row comes with the event.
  const row = page.page.getByRole('row', { name: /refused/ }).first();
  await row.waitFor();
  assert.match(await row.innerText(), /Caller number: The number in From is not one of the trunk's usable DIDs/);
  await row.getByRole('link').click();
  await page.shown();
  const why = page.page.getByRole('region', { name: 'Why it was refused' });
  const text = await why.innerText();
  for (const words of ['Caller number', 'SIP 403', 'not one of the trunk', 'reject_call with 2 numbers', STRANGER]) assert.ok(text.includes(words), `${words} in ${text}`);
  assert.ok((await page.page.locator('h1 + .about').innerText()).includes(callId));
  const steps = await page.page.locator('.step-name').allInnerTexts();
  assert.deepEqual([steps[0], steps.at(-1)], ['INVITE', 'ACK']);
  assert.ok(steps.includes('403 Forbidden'), String(steps));
  await page.page.locator('summary', { hasText: '403 Forbidden' }).click();
  assert.match(await page.page.getByRole('region', { name: 'Text of 403 Forbidden' }).innerText(), /^SIP\/2\.0 403 Forbidden/);
});

checked('the main path is done with the keyboard alone', {}, async (page) => {
  await page.show('overview');
  await page.press('Tab');
  await page.tabTo('#skip');
  await page.press('Enter');
  assert.equal(await page.page.evaluate(() => document.activeElement.id), 'main');
  // From the top of the page to the form, which is filled and sent.
  await page.page.evaluate(() => document.activeElement.blur());
  await page.tabTo('#nav a', 'Explain a call');
  await page.press('Enter');
  await page.page.locator('h1', { hasText: 'Explain a call' }).waitFor();
  assert.equal(await page.page.evaluate(() => document.activeElement.tagName), 'H1', 'the view is announced');
  await page.tabTo('[name=source]');
  await page.press('Enter');
  assert.equal(await page.page.evaluate(() => document.activeElement.name), 'source', 'the first missing field has the focus');
  await page.type('127.0.0.1');
  await page.press('Tab');
  await page.type('442079460018');
  await page.press('Tab');
  await page.type(STRANGER);
  await page.press('Enter');
  await page.page.getByRole('region', { name: 'Why it would be refused' }).waitFor();
  assert.match(await page.page.locator('#announcer').innerText(), /The call would be refused\. The number in From/);
  // Then to a refused call, and into one of its messages.
  await page.press('Home');
  await page.page.evaluate(() => document.activeElement.blur());
  await page.tabTo('#nav a', 'Call records');
  await page.press('Enter');
  await page.page.locator('tbody tr').first().waitFor();
  await page.tabTo('tbody a');
  await page.press('Enter');
  await page.page.locator('.ladder').waitFor();
  await page.tabTo('summary', 'INVITE');
  await page.press('Enter');
  await page.tabTo('pre');
  assert.match(await page.page.evaluate(() => document.activeElement.textContent), /^INVITE sip:442079460018@/);
});

checked('a live call appears and is hung up', {}, async (page) => {
  await page.show('calls');
  await page.page.locator('.live', { hasText: 'Live' }).waitFor();
  assert.equal((await caller.call(CALLER, ANSWERED)).code, 200);
  const row = page.page.getByRole('row', { name: new RegExp(ANSWERED) });
  await row.getByText('answered', { exact: true }).waitFor();
  await page.screenshot('a-live-call');
  assert.deepEqual(await page.violations(), []);
  await row.getByRole('button', { name: `Hang up the call to ${ANSWERED}` }).click();
  const dialog = page.page.getByRole('dialog', { name: 'Hang up this call?' });
  await dialog.waitFor();
  assert.deepEqual(await page.violations(), [], 'the question');
  // Escape keeps the call.
  await page.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await row.count(), 1);
  await row.getByRole('button').click();
  await dialog.getByRole('button', { name: 'Hang up' }).click();
  await row.waitFor({ state: 'detached' });
  assert.match(await page.page.locator('#announcer').innerText(), /was ended/);
  assert.deepEqual((await server.send('/calls/active')).calls, []);
});

checked('of thousands of live calls the newest are listed', {}, async (page) => {
  const call = (number) => ({ id: `call ${number}`, call_id: `call-${number}`, src_number: CALLER, dst_number: String(442079400000 + number), source: '127.0.0.1:5060', trunk_name: 'many', time_start: new Date().toISOString(), time_connect: null, no_audio: null, media: {} });
  const calls = Array.from({ length: 3_000 }, (_, number) => call(number));
  await page.page.route('**/control/v1/calls/active', (route) => route.fulfill({ json: { calls } }));
  await page.show('calls');
  await page.page.getByText('The newest 200 of 3,000 live calls are listed.').waitFor();
  assert.equal(await page.page.locator('tbody tr').count(), 200);
  await page.page.getByRole('row', { name: /442079402999/ }).waitFor();
});

checked('midnight is the hour 0 in every language', { locale: 'en-US' }, async (page) => {
  await page.show('calls');
  const shown = (format) => page.page.evaluate(async (url) => {
    const { clock, clockTime, hourOfDay } = await import(url);
    const at = Date.UTC(2026, 0, 31, 0, 5, 9);
    return [clock(at), clockTime(at), hourOfDay(new Date(at))];
  }, format);
  const [whole, server, hour] = await shown(String(new URL('format.js', page.server.console)));
  assert.deepEqual([whole, hour], ['00:05:09', '00:05']);
  assert.match(server, /\b00:05$/);
});

checked('a trunk is changed under the rules of its owner', {}, async (page) => {
  await page.show('trunks');
  await page.page.getByRole('link', { name: 'Berlin office' }).click();
  const limit = page.page.getByLabel('Calls at once');
  await limit.fill('0');
  await page.page.getByRole('button', { name: 'Save the changes' }).click();
  await page.page.locator('[aria-invalid=true]').waitFor();
  const described = await limit.getAttribute('aria-describedby');
  const error = await page.page.locator(`#${described.split(' ').at(-1)}`).innerText();
  assert.ok(error.length > 3, 'the field says what was wrong');
  await page.screenshot('a-wrong-value');
  assert.deepEqual(await page.violations(), []);
  await limit.fill('12');
  await page.page.getByLabel('Allowed SIP addresses').fill('127.0.0.1\n203.0.113.9');
  await page.page.getByLabel('Name (required)').fill('Berlin');
  await page.page.getByRole('button', { name: 'Save the changes' }).click();
  await page.page.getByText('It applies from the next call on').waitFor();
  const { data } = await server.send(`/accounts/${account}/records/voice_out_trunks/${trunk}`);
  const { capacity_limit: limited, name, authentication_method: method } = data.attributes;
  assert.deepEqual([limited, name, method.attributes.allowed_sip_ips], [12, 'Berlin', ['127.0.0.1/32', '203.0.113.9/32']]);
});

checked('the overview has calls, refusals and spending as charts, with their numbers in words', {}, async (page) => {
  await page.show('overview');
  await page.page.getByRole('img', { name: /^Calls of the last .+: [1-9]\d* answered, \d+ not answered, [1-9]\d* refused\.$/ }).waitFor();
  const checks = page.page.getByRole('table', { name: 'Refusals by check' });
  await checks.getByRole('row', { name: /^Caller number\b.*[1-9]\d*$/ }).waitFor();
  // The threshold of one of the trunks.
  await page.page.getByRole('region', { name: 'Spending of the last 24 hours' }).getByText('of $0.50').waitFor();
});

let staffed;
checked('the clock is frozen, moved forward and let run', { server: () => staffed }, async (page) => {
  await page.show('system');
  await page.page.getByRole('button', { name: 'Freeze it now' }).click();
  await page.page.locator('#announcer', { hasText: 'The clock stands still.' }).waitFor();
  const before = await staffed.send('/clock');
  assert.equal(before.frozen, true);
  const form = page.page.getByRole('form', { name: 'Move the clock forward' });
  await form.getByLabel('Amount (required)').fill('2');
  await form.getByLabel('Unit', { exact: true }).selectOption('86400');
  await form.getByRole('button', { name: 'Move forward' }).click();
  await form.getByText('The clock was moved').waitFor();
  assert.equal(Date.parse((await staffed.send('/clock')).now) - Date.parse(before.now), 2 * 86_400_000);
  assert.deepEqual(await page.violations(), []);
  await page.page.getByRole('button', { name: 'Let it run' }).click();
  await page.page.locator('#announcer', { hasText: 'The clock runs.' }).waitFor();
  assert.equal((await staffed.send('/clock')).frozen, false);
});

checked('an account is created, and the key that is shown once is its own', { server: () => staffed }, async (page) => {
  await page.show('accounts');
  const form = page.page.getByRole('form', { name: 'Create an account' });
  await form.getByLabel('Name', { exact: true }).fill('Hamburg');
  await form.getByRole('button', { name: 'Create the account' }).click();
  await form.getByText('The API key of Hamburg is shown only now').waitFor();
  const key = await form.locator('code').innerText();
  assert.equal((await fetch(`${staffed.api}/dids`, { headers: { 'Api-Key': key } })).status, 200);
  assert.deepEqual(await page.violations(), []);
  await page.page.getByRole('link', { name: 'Hamburg', exact: true }).click();
  await title(page, 'Hamburg');
  assert.ok(!(await page.page.content()).includes(key), 'the key is not shown again');
});

checked('a number is added and blocked', { server: () => staffed }, async (page) => {
  await page.show('dids');
  const form = page.page.getByRole('form', { name: 'Add a DID' });
  await form.getByLabel('Number (required)').fill('12025550188');
  await form.getByLabel('Description', { exact: true }).fill('Front desk');
  await form.getByRole('button', { name: 'Add the DID' }).click();
  await form.getByText('The DID 12025550188 was added.').waitFor();
  await page.page.getByRole('button', { name: 'Block 12025550188', exact: true }).click();
  await page.page.getByRole('button', { name: 'Unblock 12025550188' }).waitFor();
  await page.page.getByRole('row', { name: /12025550188.*blocked.*Front desk/ }).waitFor();
  const { accounts } = await staffed.send('/accounts');
  const found = await Promise.all(accounts.map(({ id }) => staffed.send(`/accounts/${id}/records/dids?filter%5Bnumber%5D=12025550188`)));
  assert.deepEqual(found.flatMap(({ data }) => data.map(({ attributes }) => attributes.blocked)), [true]);
});

checked('the providers are shown with their health, which is asked for anew', { server: () => staffed }, async (page) => {
  // The name of the server's own edge, which answers.
  await staffed.send('/world', { format: 1, accounts: [], platform: { providers: [{ label: 'carrier', name: 'Carrier', hostname: 'edge.localhost' }] } });
  await page.show('providers');
  await page.page.getByRole('row', { name: /^Carrier/ }).waitFor();
  await page.page.getByRole('button', { name: 'Check all now' }).click();
  await page.page.locator('#announcer', { hasText: '1 provider checked.' }).waitFor();
  await page.page.getByRole('row', { name: /^Carrier healthy/ }).waitFor();
  assert.deepEqual(await page.violations(), []);
});
before(async () => {
  staffed = await Server.start(BINARY);
});
after(() => staffed?.stop());

checked('callbacks and their attempts are shown', {}, async (page) => {
  receiver = createServer((request, response) => response.writeHead(request.url === '/bad' ? 500 : 200).end());
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const at = `http://127.0.0.1:${receiver.address().port}`;
  const change = (attributes) => server.send(`/accounts/${account}/records/voice_out_trunks/${trunk}`, { attributes }, 'PATCH');
  await change({ callback_url: `${at}/good`, status: 'blocked' });
  await change({ status: 'active' });
  const delivered = async () => (await server.send('/deliveries')).deliveries.length > 0;
  for (let waits = 0; !(await delivered()); waits += 1) {
    assert.ok(waits < 200, 'a callback is sent');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await page.show('deliveries');
  const row = page.page.getByRole('row', { name: /callback/ }).first();
  await row.waitFor();
  assert.match(await row.innerText(), /200/);
});

checked('deliveries of one call at the same time are a row each', {}, async (page) => {
  const customer = '6d6e0d4f-7c1c-4f6a-9b7c-0a3b4f3c2d10';
  const delivery = { customer, call: customer, url: 'http://127.0.0.1/hook', events: 1, attempt: 1, at: '2026-01-01T00:00:00.000Z', error: null };
  const deliveries = [{ ...delivery, status: 500, error: 'answered 500' }, { ...delivery, status: 200 }, { ...delivery, status: null }];
  await page.page.route('**/control/v1/deliveries*', (route) => route.fulfill({ json: { deliveries, waiting: 0, dropped: 0 } }));
  await page.show('deliveries');
  await page.page.getByRole('row', { name: /webhook/ }).first().waitFor();
  assert.equal(await page.page.locator('tbody tr').count(), 3);
  await page.page.getByRole('row', { name: /lost by a fault/ }).waitFor();
  await page.show('deliveries?failed=yes');
  await page.page.locator('tbody tr').nth(1).waitFor({ state: 'detached' });
  assert.equal(await page.page.locator('tbody tr').count(), 1);
});

checked('what peers and owners write stays text', {}, async (page) => {
  await server.send('/accounts', { name: MARKUP });
  for (const [view, place] of [['accounts', 'tbody'], ['trunks', 'tbody'], ['dids', 'tbody'], ['accounts', '#account']]) {
    await page.show(view);
    await page.page.locator(place, { hasText: MARKUP }).waitFor();
  }
  assert.equal(await page.page.locator('main img, main b').count(), 0);
});

checked('requests appear in the journal while they come, and one is read without its secrets', {}, async (page) => {
  await page.show('journal');
  await live(page);
  assert.equal((await ask('/dids?filter%5Bnumber%5D=12025550177')).status, 200);
  const row = page.page.getByRole('row', { name: /filter%5Bnumber%5D=12025550177/ }).first();
  await row.waitFor();
  const text = await row.innerText();
  for (const words of ['GET', '/v3/dids?', '200']) assert.ok(text.includes(words), `${words} in ${text}`);
  await row.getByRole('link', { name: /^Request \d+$/ }).click();
  await title(page, /^Request \d+$/);
  const headers = page.page.getByRole('region', { name: 'Request: headers, table' });
  await headers.waitFor();
  assert.match(await headers.innerText(), /api-key\s+\(hidden\)/);
  assert.match(await page.page.getByRole('region', { name: 'Answer: body' }).innerText(), /^\{\n {2}"/);
  assert.ok(!(await page.page.content()).includes('console-key'), 'the key is on the page');
  assert.deepEqual(await page.violations(), []);
  await page.show('journal?status=404');
  await page.page.getByText('No request matches the filter').waitFor();
});

checked('what strangers send stays text in the journal, and what would not be seen is shown', {}, async (page) => {
  const attributes = { name: `${MARKUP}\u202egnp.exe\u200f\u{e0041}`, password: 'planted' };
  const body = JSON.stringify({ data: { type: 'voice_out_trunks', attributes } });
  await ask('/voice_out_trunks', { method: 'POST', body, headers: { 'Content-Type': 'application/vnd.api+json', 'User-Agent': MARKUP } });
  const [{ number }] = (await server.send('/journal?method=POST&limit=1')).requests;
  await page.show(`journal/${number}`);
  const text = await page.page.getByRole('region', { name: 'Request: body' }).innerText();
  for (const words of [`"name": "${MARKUP}\\u202egnp.exe\\u200f\\ue0041"`, '"password": "(hidden)"']) assert.ok(text.includes(words), `${words} in ${text}`);
  assert.ok((await page.page.getByRole('region', { name: 'Request: headers, table' }).innerText()).includes(MARKUP));
  await server.send('/faults', { effect: 'content_type', content_type: MARKUP, path: `/${MARKUP}`, resource: MARKUP });
  await page.show('faults');
  await page.page.locator('tbody', { hasText: MARKUP }).waitFor();
  await server.send('/faults', undefined, 'DELETE');
  for (const view of ['constructor/x', '%E0%A4%A', 'journal/%', 'faults?target=constructor&effect=__proto__', `explain?source=${encodeURIComponent(MARKUP)}`]) {
    await page.page.goto(`${server.console}#/${view}`);
    await page.page.locator('h1').waitFor();
    assert.equal(await page.page.locator('main img, main b').count(), 0, view);
  }
});

checked('the journal stands still while it is paused, and is forgotten when that is confirmed', {}, async (page) => {
  await page.show('journal');
  await live(page);
  await page.page.getByRole('button', { name: 'Pause' }).click();
  await ask('/regions?page%5Bnumber%5D=7');
  const row = page.page.getByRole('row', { name: /number%5D=7/ });
  assert.equal(await row.count(), 0);
  await page.page.getByRole('button', { name: 'Follow again' }).click();
  await row.first().waitFor();
  await page.page.getByRole('button', { name: 'Forget all' }).click();
  const dialog = page.page.getByRole('dialog', { name: 'Forget all requests of the journal?' });
  await dialog.waitFor();
  assert.deepEqual(await page.violations(), [], 'the question');
  await dialog.getByRole('button', { name: 'Forget them' }).click();
  await page.page.getByText('No request has come yet.').waitFor();
  assert.deepEqual((await server.send('/journal')).requests, []);
  // By another page, or a test.
  await ask('/regions?page%5Bnumber%5D=8');
  await page.page.getByRole('row', { name: /number%5D=8/ }).waitFor();
  await server.send('/journal', undefined, 'DELETE');
  await page.page.getByText('No request has come yet.').waitFor();
});

checked('a fault is set by the form, shows what it has hit, and is removed', {}, async (page) => {
  await page.show('faults');
  await live(page);
  const form = page.page.getByRole('form', { name: 'Set a fault' });
  const set = form.getByRole('button', { name: 'Set the fault' });
  await set.click();
  assert.equal(await page.page.evaluate(() => document.activeElement.name), 'status', 'the missing field has the focus');
  await form.getByLabel('Status (required)').fill('99');
  await set.click();
  await form.locator('[name=status][aria-invalid=true]').waitFor();
  assert.deepEqual(await page.violations(), []);
  await form.getByLabel('Status (required)').fill('503');
  await form.getByLabel('Path, or dialled number').fill('/v3/regions*');
  await form.getByLabel('How many times at most').fill('1');
  await set.click();
  await form.getByText(/^Fault \d+ is set\.$/).waitFor();
  assert.deepEqual([(await ask('/regions')).status, (await ask('/regions')).status], [503, 200]);
  const row = page.page.getByRole('row', { name: /An answer with a status: 503 .*number 1 alone 2 1 Remove fault/ });
  await row.waitFor();
  await page.screenshot('a-fault');

  const options = () => form.getByLabel('What happens').locator('option').evaluateAll((all) => all.map(({ value }) => value));
  await form.getByLabel('What is to fail').selectOption('callbacks');
  assert.deepEqual(await options(), ['status', 'delay', 'lose']);
  await form.getByLabel('What is to fail').selectOption('calls');
  assert.deepEqual(await options(), ['status', 'delay', 'no_answer', 'lost_ack', 'one_way_audio', 'packet_loss']);
  assert.equal(await form.getByLabel('Type of records').isVisible(), false);
  assert.equal(await form.getByLabel('Trunk', { exact: true }).isVisible(), true);
  await form.getByLabel('What happens').selectOption('packet_loss');
  await form.getByLabel('Path, or dialled number').fill('4420*');
  await form.getByLabel('Share of packets (required)').fill('0.25');
  await set.click();
  await page.page.getByRole('row', { name: /25 %.*Calls that a trunk admits to 4420\*/ }).waitFor();
  const { faults } = await server.send('/faults');
  assert.deepEqual(faults.map(({ fault }) => [fault.effect, fault.target, fault.times]), [['status', 'requests', 1], ['packet_loss', 'calls', 1]]);

  await row.getByRole('button', { name: /^Remove fault/ }).click();
  await row.waitFor({ state: 'detached' });
  assert.match(await page.page.locator('#announcer').innerText(), /was removed\. It had hit 1 time\./);
  await page.page.getByRole('button', { name: 'Remove all' }).click();
  const dialog = page.page.getByRole('dialog', { name: 'Remove all faults?' });
  await dialog.waitFor();
  assert.deepEqual(await page.violations(), [], 'the question');
  await dialog.getByRole('button', { name: 'Remove them' }).click();
  await page.page.getByText('No fault is set.').waitFor();
  await server.send('/faults', { effect: 'close', path: '/v3/nowhere' });
  await page.page.getByRole('row', { name: /closed without an answer/ }).waitFor();
  assert.equal(await page.page.locator('tbody tr').count(), 1, 'what was removed does not come back');
  await page.page.getByRole('button', { name: /^Remove fault/ }).focus();
  await server.send('/faults', undefined, 'DELETE');
  await page.page.getByText('No fault is set.').waitFor();
  assert.equal(await page.page.evaluate(() => document.activeElement.tagName), 'H1', 'the focus is not lost with the last row');
});

checked('a fault that was set is not reported as failed if the list cannot be read then', {}, async (page) => {
  await page.show('faults');
  await page.page.route('**/control/v1/faults', (route) => (route.request().method() === 'GET' ? route.fulfill({ status: 500, body: 'no list' }) : route.continue()));
  const form = page.page.getByRole('form', { name: 'Set a fault' });
  await form.getByLabel('Status (required)').fill('503');
  await form.getByLabel('Path, or dialled number').fill('/v3/nowhere');
  await form.getByRole('button', { name: 'Set the fault' }).click();
  await form.getByText(/^Fault \d+ is set\.$/).waitFor();
  await page.page.getByText('This could not be read.').waitFor();
  assert.equal((await server.send('/faults')).faults.length, 1);
  await server.send('/faults', undefined, 'DELETE');
});

checked('a request that has not come yet is shown when it comes', {}, async (page) => {
  const { last } = await server.send('/journal?limit=1');
  await page.show(`journal/${last + 1}`);
  await live(page);
  await page.page.getByText('The journal has no request with this number.').waitFor();
  await ask('/regions?page%5Bnumber%5D=9');
  await page.page.getByRole('region', { name: 'Request line' }).waitFor();
});

checked('a request of the journal is made to fail, and is not any more, with the keyboard alone', {}, async (page) => {
  await ask('/regions?page%5Bsize%5D=1');
  await page.show('overview');
  await page.tabTo('#nav a', 'Journal');
  await page.press('Enter');
  await title(page, 'Journal');
  await page.page.locator('[data-view=journal] tbody tr').first().waitFor();
  await page.tabTo('tbody a');
  await page.press('Enter');
  await title(page, /^Request \d+$/);
  await page.page.getByRole('link', { name: 'Let such requests fail' }).waitFor();
  await page.tabTo('main a', 'Let such requests fail');
  await page.press('Enter');
  await title(page, 'Faults');
  await page.tabTo('[name=status]');
  await page.type('429');
  await page.press('Enter');
  await page.page.getByText(/^Fault \d+ is set\.$/).waitFor();
  assert.equal((await ask('/regions')).status, 429);
  await page.tabTo('tbody button', 'Remove');
  await page.press('Enter');
  await page.page.locator('#announcer', { hasText: 'was removed' }).waitFor();
  assert.equal(await page.page.evaluate(() => document.activeElement.tagName), 'H1', 'the focus is not lost with the row');
  assert.equal((await ask('/regions')).status, 200);
});

checked('the newest SIP messages lead to the ladder of their call', {}, async (page) => {
  await page.show('messages');
  await live(page);
  const { code, callId } = await caller.call(STRANGER, '442079460017');
  assert.equal(code, 403);
  await page.page.getByRole('row', { name: /SIP\/2\.0 403 Forbidden sent to/ }).first().waitFor();
  await page.show('messages?line=INVITE');
  const row = page.page.getByRole('row', { name: /INVITE sip:/ }).first();
  await row.getByRole('link').click();
  await page.page.locator('.ladder').waitFor();
  assert.ok((await page.page.locator('h1 + .about').innerText()).includes(callId), 'the newest call is the first one');
});

checked('the latency of the API is shown as a chart and by route', {}, async (page) => {
  for (let times = 0; times < 3; times += 1) await ask('/regions');
  await page.show('latency');
  const chart = page.page.getByRole('img', { name: /^Requests by how long they took: [\d,]+ requests\.$/ });
  await chart.waitFor();
  const row = page.page.getByRole('row', { name: /^\/v3\/regions / });
  assert.match(await row.innerText(), /\d+[^]*≤ [\d.]+ (µs|ms|s)/);
  await page.page.getByRole('button', { name: 'Count from now on' }).click();
  await row.waitFor({ state: 'detached' });
  await page.page.getByRole('button', { name: 'Count from the start' }).click();
  await row.waitFor();
  await page.page.getByLabel('Listener', { exact: true }).selectOption('control');
  await page.page.getByRole('row', { name: /^\/control\/v1\/request_counts / }).waitFor();
  await page.show('overview');
  await page.page.getByRole('img', { name: /^Requests to the API by how long they took/ }).waitFor();
});

checked('the counts of another server are not compared with those of the one before it', { clock: true }, async (page) => {
  const bounds_us = Array.from({ length: 14 }, (_, at) => 500 * (at + 1));
  const counts = (...durations) => ({
    route: '/v3/regions',
    requests: [{ method: 'GET', status: '2xx', count: durations[0] + durations[1] }],
    durations: [...durations, ...Array(13).fill(0)],
    total_us: 9_000,
  });
  let counted = counts(1, 8);
  await page.page.route('**/control/v1/request_counts', (route) => route.fulfill({ json: { bounds_us, listeners: [{ listener: 'api', routes: [counted] }] } }));
  await page.show('latency');
  await page.page.getByRole('row', { name: /^\/v3\/regions 9 / }).waitFor();
  const from = page.page.getByRole('button', { name: /^Count from/ });
  await from.click();
  assert.equal(await from.innerText(), 'Count from the start');
  // More than before, but fewer within the second bound.
  counted = counts(10, 2);
  await page.page.clock.runFor(11_000);
  await page.page.getByRole('row', { name: /^\/v3\/regions 12 / }).waitFor();
  assert.equal(await from.innerText(), 'Count from now on');
});

let audited;
checked('the audit says who changed which trunk when, as it happens', { server: () => audited }, async (page) => {
  await page.show('audit');
  await live(page);
  const authentication_method = { type: 'credentials_and_ip', attributes: { allowed_sip_ips: ['203.0.113.7'] } };
  const id = await audited.trunk({ name: 'Audited', on_cli_mismatch_action: 'reject_call', authentication_method });
  const made = page.page.getByRole('row', { name: /the owner, with the key .* created voice out trunks/ });
  await made.waitFor();
  const [{ id: owner }] = (await audited.send('/accounts')).accounts;
  await audited.send(`/accounts/${owner}/records/voice_out_trunks/${id}`, { attributes: { capacity_limit: 7 } }, 'PATCH');
  const changed = page.page.getByRole('row', { name: /staff, over the control API updated voice out trunks .*capacity limit/ });
  await changed.waitFor();
  for (const colorScheme of ['light', 'dark']) {
    await page.page.emulateMedia({ colorScheme });
    assert.deepEqual(await page.violations(), [], colorScheme);
    await page.screenshot(`${colorScheme}-audit-entries`);
  }
  await changed.getByRole('link', { name: id }).click();
  await page.page.getByRole('link', { name: 'Who changed it when' }).click();
  await changed.waitFor();
  assert.equal(await page.page.getByRole('row', { name: /voice out trunks/ }).count(), 2, 'nothing else has this id');
});
let settings;
before(async () => {
  settings = await mkdtemp(join(tmpdir(), 'console-settings-'));
  await writeFile(join(settings, 'server.toml'), '[accounts]\naudit_months = 1\n');
  audited = await Server.start(BINARY, ['--config', join(settings, 'server.toml')]);
});
after(async () => {
  await audited?.stop();
  if (settings) await rm(settings, { recursive: true });
});

checked('every view has no violation of axe, in light', { scheme: 'light' }, (page) => examine(page, 'light'));
checked('every view has no violation of axe, in dark', { scheme: 'dark' }, (page) => examine(page, 'dark'));

async function examine(page, scheme) {
  const [record] = (await server.send('/calls')).calls.filter(({ check }) => check);
  await ask('/voice_out_trunks');
  const { last } = await server.send('/journal?limit=1');
  await server.send('/faults', { effect: 'delay', delay_ms: 1, path: '/v3/nowhere', account });
  const details = [`records/${encodeURIComponent(record.call_id)}`, `trunks/${account}/${trunk}`, `accounts/${account}`, `journal/${last}`, 'nowhere'];
  for (const view of [...VIEWS, ...details]) {
    if (view === 'nowhere') {
      await page.page.goto(`${server.console}#/${view}`);
      await title(page, 'no such view');
    } else await page.show(view);
    assert.deepEqual(await page.violations(), [], `${view}, ${scheme}`);
    await page.screenshot(`${scheme}-${view.split('/')[0]}${view.includes('/') ? '-one' : ''}`);
  }
}

checked('a narrow window shows every view without scrolling sideways', { viewport: { width: 390, height: 800 } }, async (page) => {
  for (const view of VIEWS) {
    await page.show(view);
    const [wide, window] = await page.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= window, `${view} is ${wide} wide`);
    await page.screenshot(`narrow-${view}`);
  }
});

checked('without the stream of events the page asks every ten seconds', { clock: true }, async (page) => {
  await page.page.route('**/control/v1/events', (route) => route.abort());
  await page.show('records');
  await page.page.locator('.live', { hasText: 'Every 10 s' }).waitFor();
  const before = await page.page.locator('tbody tr').count();
  assert.equal((await caller.call(STRANGER, '442079460018')).code, 403);
  await page.page.clock.runFor(11_000);
  await page.page.locator(`tbody tr:nth-child(${before + 1})`).waitFor();
  page.problems.splice(0);
});

let locked;
checked('the token is asked for once, kept for the session, and stands in no address', { server: () => locked }, async (page) => {
  await page.page.goto(`${locked.console}#/records`);
  const dialog = page.page.getByRole('dialog', { name: 'Enter the control token' });
  const input = dialog.getByLabel('Control token', { exact: true });
  await input.fill('a wrong one');
  assert.deepEqual(await page.violations(), []);
  await page.screenshot('token');
  await page.press('Enter');
  await dialog.getByText('the control token is wrong').waitFor();
  await input.fill(TOKEN);
  await page.press('Enter');
  await page.page.locator('h1', { hasText: 'Call records' }).waitFor();
  await page.page.locator('.live', { hasText: 'Live' }).waitFor();
  await page.page.reload();
  await page.shown();
  assert.equal(await dialog.count(), 0, 'the session has it');
  const kept = await page.page.evaluate(() => [sessionStorage.getItem('console.token'), localStorage.length, document.cookie, location.href]);
  assert.deepEqual(kept.slice(0, 3), [TOKEN, 0, '']);
  assert.ok(!kept[3].includes('token'));
  await page.page.getByRole('button', { name: 'Sign out' }).click();
  await dialog.waitFor();
  assert.equal(await page.page.evaluate(() => sessionStorage.getItem('console.token')), null);
});
checked('a page whose token is refused says why, and asks for nothing until it has another one', { server: () => locked, clock: true, token: TOKEN }, async (page) => {
  await page.show('latency');
  await live(page);
  const refuse = (route) => route.fulfill({ status: 401, contentType: 'application/json', body: '{"error":"the control token is wrong"}' });
  await page.page.route('**/control/v1/**', refuse);
  // This view looks every ten seconds.
  await page.page.clock.runFor(11_000);
  const dialog = page.page.getByRole('dialog', { name: 'Enter the control token' });
  const why = dialog.getByText('the control token is wrong');
  await why.waitFor();
  const asked = page.requests.length;
  await page.page.clock.runFor(61_000);
  assert.deepEqual(page.requests.slice(asked), []);
  assert.equal(await why.count(), 1);
  await page.page.unroute('**/control/v1/**', refuse);
  await dialog.getByLabel('Control token', { exact: true }).fill(TOKEN);
  await page.press('Enter');
  await live(page);
  page.problems.splice(0);
});
before(async () => {
  locked = await Server.start(BINARY, ['--control-token', TOKEN]);
});
after(() => locked?.stop());

// Waits until the page has asked for nothing for a while.
async function quiet(page) {
  for (let seen; seen !== page.requests.length; ) {
    seen = page.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
  }
}

checked('an open page costs an idle server next to nothing', {}, async (page) => {
  for (const view of ['overview', 'journal', 'latency']) {
    await page.show(view);
    await live(page);
    await quiet(page);
    const seconds = 6;
    const from = await server.processorTime();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const used = (await server.processorTime()) - from;
    // 0.6 s in a minute.
    assert.ok(used < (0.6 * seconds) / 60, `${view}: ${used} s in ${seconds} s`);
  }
});

checked('a page that is not seen reads nothing, and knows what happened when it is seen again', { clock: true }, async (page) => {
  await page.show('records');
  await live(page);
  const see = (isHidden) =>
    page.page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
  await see(true);
  await page.page.clock.runFor(61_000);
  await page.page.locator('.live', { hasText: 'Resting' }).waitFor();
  const asked = page.requests.length;
  const before = await page.page.locator('tbody tr').count();
  assert.equal((await caller.call(STRANGER, '442079460016')).code, 403);
  await page.page.clock.runFor(61_000);
  assert.deepEqual(page.requests.slice(asked), []);
  await see(false);
  await live(page);
  // What was due is read at once, or a second later.
  await page.page.clock.runFor(2_000);
  await page.page.locator(`tbody tr:nth-child(${before + 1})`).waitFor();
});

checked('the end of the server is seen', { server: () => short }, async (page) => {
  await page.show('calls');
  await page.page.locator('.live', { hasText: 'Live' }).waitFor();
  await short.stop();
  await page.page.locator('.live', { hasText: 'Every 10 s' }).waitFor();
  await page.page.getByRole('link', { name: 'Trunks' }).click();
  await page.page.getByText('The server does not answer').waitFor();
  await page.screenshot('no-server');
  page.problems.splice(0);
});
checked('a server that is started again is shown as it is then', { server: () => first }, async (page) => {
  await page.show('accounts');
  await live(page);
  await first.stop();
  await page.page.locator('.live', { hasText: 'every 10 s' }).waitFor();
  again = await Server.start(BINARY, [], new URL(first.control).host);
  const [{ id }] = (await again.send('/accounts')).accounts;
  await page.page.locator('tbody', { hasText: id }).waitFor();
  await live(page);
  assert.equal(await page.page.locator('#account').inputValue(), id);
  page.problems.splice(0);
});
let first;
let again;
before(async () => {
  first = await Server.start(BINARY);
});
after(async () => {
  await first?.stop();
  await again?.stop();
});

let short;
before(async () => {
  short = await Server.start(BINARY);
});
after(() => short?.stop());

// The code blocks of a page, in this language.
const blocks = (page, language) => [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, code]) => code);
const found = () => `${dirname(BINARY)}${delimiter}${process.env.PATH}`;

let fresh;
let empty;
const frontPage = () => readFile(new URL('index.md', PAGES), 'utf8');
checked('the lines of the front page end with a refused call whose reason is read from the page', { server: () => fresh }, async (page) => {
  const lines = blocks(await frontPage(), 'sh').join('');
  const api = fresh.api.slice(0, -'/v3'.length);
  assert.ok(lines.includes('http://127.0.0.1:8080/'), 'the address of the page');
  const script = lines.replaceAll('http://127.0.0.1:8080', api);
  const addresses = { LISTEN: new URL(api).host, CONTROL_LISTEN: new URL(fresh.control).host, SIP_LISTEN: fresh.sip };
  const named = Object.fromEntries(Object.entries(addresses).map(([name, at]) => [`TRUNK_SERVER_${name}`, at]));
  const env = { ...process.env, ...named, PATH: found(), NO_PROXY: '127.0.0.1' };
  const { stdout } = await promisify(execFile)('sh', ['-ec', script], { cwd: empty, env });
  assert.match(stdout, /"default_dst_action":"allow_all"[^]*200 OK: answered[^]*403 Forbidden: not answered/);
  await page.show('trunks');
  await page.page.getByRole('link', { name: 'Closed' }).waitFor();
  await page.show('records');
  const row = page.page.getByRole('row', { name: /refused/ }).first();
  await row.waitFor();
  await row.getByRole('link').click();
  await page.shown();
  const why = await page.page.getByRole('region', { name: 'Why it was refused' }).innerText();
  assert.match(why, /SIP 403/);
  assert.match(why, /destination/i);
  assert.deepEqual(await readdir(empty), [], 'nothing is kept');
});
before(async () => {
  const line = blocks(await frontPage(), 'text').find((block) => block.startsWith('trunk-server '));
  empty = await mkdtemp(join(tmpdir(), 'front-page-'));
  fresh = await Server.pasted(line, empty, found());
});
after(async () => {
  await fresh?.stop();
  if (empty) await rm(empty, { recursive: true });
});

test('the fixture that the recipe has for runners of JavaScript starts a server and stops it', async () => {
  const [fixture] = blocks(await readFile(new URL('recipes/tests.md', PAGES), 'utf8'), 'js');
  const folder = await mkdtemp(join(tmpdir(), 'fixture-'));
  const path = process.env.PATH;
  process.env.PATH = found();
  try {
    const file = join(folder, 'trunk-server.mjs');
    await writeFile(file, fixture);
    const { startServer } = await import(pathToFileURL(file).href);
    const started = await startServer();
    const answer = await fetch(`${started.api}/dids`, { headers: { 'Api-Key': 'test-key' } });
    assert.equal((await answer.json()).data.length, 6);
    assert.equal((await fetch(`${started.control}/nodes`)).status, 200);
    await started.stop();
    await assert.rejects(fetch(`${started.api}/dids`));
  } finally {
    process.env.PATH = path;
    await rm(folder, { recursive: true });
  }
});

checked('what the form of a trunk wrote before is kept by a change of another part of the same object', {}, async (page) => {
  const authentication_method = { type: 'credentials_and_ip', attributes: { allowed_sip_ips: ['203.0.113.7'] } };
  const other = await server.trunk({ name: 'Hamburg office', on_cli_mismatch_action: 'reject_call', authentication_method });
  await page.show('trunks');
  await page.page.getByRole('link', { name: 'Hamburg office' }).click();
  for (const [label, value, prefix] of [['Allowed SIP addresses', '203.0.113.9', ''], ['Tech prefix', '99', '99'], ['Tech prefix', '', '']]) {
    await page.page.getByLabel(label).fill(value);
    await page.page.getByRole('button', { name: 'Save the changes' }).click();
    await page.page.getByText('It applies from the next call on').waitFor();
    const { data } = await server.send(`/accounts/${account}/records/voice_out_trunks/${other}`);
    const { tech_prefix: stored, allowed_sip_ips: kept } = data.attributes.authentication_method.attributes;
    assert.deepEqual([stored || '', kept], [prefix, ['203.0.113.9/32']]);
  }
});
