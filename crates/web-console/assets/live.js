// What happens at the server, as it happens: server-sent events, read with `fetch`, because an `EventSource` cannot send the
// token. Without them the page asks every ten seconds, while it is seen.

import { BASE, headers } from './api.js';

const SILENCE = 40_000;
const POLL = 10_000;
const MOST_WAIT = 60_000;

const listeners = new Set();
let state = 'off';
let wait = 1_000;
let aborting;
let timer;
let poller;
// The server's clock minus this machine's, in milliseconds.
let offset = 0;

export const serverNow = () => Date.now() + offset;
export const liveState = () => state;

// Calls `handler(name, data)` for each event. Returns a function that ends it.
export function onEvent(handler) {
  listeners.add(handler);
  return () => listeners.delete(handler);
}

const emit = (name, data) => {
  if (name === 'heartbeat') offset = Date.parse(data.now) - Date.now();
  for (const listener of listeners) listener(name, data);
};

function become(next) {
  if (state === next) return;
  state = next;
  clearInterval(poller);
  if (state === 'polling') poller = setInterval(() => document.hidden || emit('reload', {}), POLL);
  emit('state', { state });
}

function parse(text) {
  let name = 'message';
  const data = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  if (data.length > 0) emit(name, JSON.parse(data.join('\n')));
}

async function read(own) {
  const answer = await fetch(`${BASE}/events`, { headers: headers(), signal: own.signal, cache: 'no-store', credentials: 'omit' });
  if (!answer.ok) throw new Error(String(answer.status));
  // What happened before the subscription is not among its events.
  if (state !== 'live') {
    become('live');
    emit('reload', {});
  }
  wait = 1_000;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const silence = setTimeout(() => own.abort(), SILENCE);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    rest += value;
    const events = rest.split('\n\n');
    rest = events.pop();
    events.forEach(parse);
  }
}

async function run(own) {
  try {
    await read(own);
  } catch {
    // The stream ended, or there is none: the page asks until it is back.
  }
  if (aborting !== own) return;
  become('polling');
  timer = setTimeout(connect, wait);
  wait = Math.min(2 * wait, MOST_WAIT);
}

export function connect() {
  disconnect();
  aborting = new AbortController();
  run(aborting);
}

export function disconnect() {
  clearTimeout(timer);
  const own = aborting;
  aborting = undefined;
  own?.abort();
}

export function off() {
  disconnect();
  become('off');
}

// A page that was hidden for a while finds out at once whether its stream still lives.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && state === 'polling') {
    wait = 1_000;
    connect();
  }
});
