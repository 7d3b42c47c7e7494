// Requests to the control API. The token is a header, never part of a URL.

import { session } from './session.js';

export const BASE = new URL('../control/v1', document.baseURI).pathname;

// An answer that is no success, or none at all. Its message says what was wrong.
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let whenLocked = () => {};
export const onLocked = (handler) => {
  whenLocked = handler;
};

export const headers = () => (session.token ? { Authorization: `Bearer ${session.token}` } : {});

export async function send(method, path, body, signal) {
  const sent = { ...headers() };
  if (body !== undefined) sent['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(`${BASE}${path}`, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: 'no-store',
      credentials: 'omit',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, 'The server does not answer. Is it running, and is this its address?');
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let why = text;
  try {
    why = JSON.parse(text).error ?? text;
  } catch {
    // No JSON: the text itself.
  }
  if (answer.status === 401) whenLocked(session.token ? why : '');
  throw new Refusal(answer.status, why || `The server answered ${answer.status}.`);
}

export const get = async (path, signal) => (await send('GET', path, undefined, signal)).json();
export const post = async (path, body) => (await send('POST', path, body)).json();
export const patch = async (path, body) => (await send('PATCH', path, body)).json();
export const remove = async (path) => (await send('DELETE', path)).json();

// As `get`, for what a server can be built or started without: `undefined` if it has no such thing.
export const optional = async (path) => {
  try {
    return await get(path);
  } catch (error) {
    if (error.status === 404) return undefined;
    throw error;
  }
};

export const query = (pairs) => {
  const text = new URLSearchParams(Object.entries(pairs).filter(([, value]) => value !== undefined && value !== '')).toString();
  return text && `?${text}`;
};
