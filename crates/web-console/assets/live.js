// Server-sent events, read with `fetch`, because an `EventSource` cannot send the token. Without them the page polls every
// ten seconds while it is visible.

import { BASE, headers } from './api.js';

const SILENCE = 40_000;
const POLL = 10_000;
const MOST_WAIT = 60_000;
// A stream that lasted this long counts as a success.
const GOOD = 10_000;
// A hidden page closes its stream after this time: a browser has few connections to a server for all of its pages.
const REST = 60_000;

const listeners = new Set();
let state = 'off';
let wait = 1_000;
let aborting;
let timer;
let poller;
let resting;
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
  for (const listener of listeners) {
    try {
      listener(name, data);
    } catch (error) {
      // An error of this page must not end the reading.
      reportError(error);
    }
  }
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
  // The stream does not contain events from before the subscription.
  if (state !== 'live') {
    become('live');
    emit('reload', {});
  }
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
  const began = Date.now();
  try {
    await read(own);
  } catch {
    // The stream ended, or there is none: the page polls until it is back.
  }
  if (aborting !== own) return;
  become('polling');
  if (Date.now() - began > GOOD) wait = 1_000;
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

function restLater() {
  resting = setTimeout(() => {
    if (state === 'off') return;
    disconnect();
    become('resting');
  }, REST);
}
// A page that is opened in the background has not been visible yet.
if (document.hidden) restLater();

// A page that was hidden for a while checks at once whether there is a stream.
document.addEventListener('visibilitychange', () => {
  clearTimeout(resting);
  if (document.hidden) {
    restLater();
  } else if (state === 'polling' || state === 'resting') {
    wait = 1_000;
    connect();
  }
});
