// Requests to the control API. The token is a header, never part of a URL.

import { session } from './session.js';

// Time limit of a read. A request that changes something can take longer, and has no limit.
const PATIENCE = 30_000;
const MOST_LETTERS = 1_000;

export const BASE = new URL('../control/v1', document.baseURI).pathname;

// A response other than success, or a missing one. Its message states the reason.
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

export async function send(method, path, body) {
  const { token } = session;
  const sent = { ...headers() };
  if (body !== undefined) sent['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(`${BASE}${path}`, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: method === 'GET' ? AbortSignal.timeout(PATIENCE) : undefined,
      cache: 'no-store',
      credentials: 'omit',
    });
  } catch (error) {
    if (error.name === 'TimeoutError') throw new Refusal(0, `The server did not answer within ${PATIENCE / 1_000} seconds.`);
    throw new Refusal(0, 'The server does not answer. Is it running, and is this its address?');
  }
  if (answer.ok) return answer;
  const text = await answer.text().catch(() => '');
  let why = text.slice(0, MOST_LETTERS);
  try {
    why = JSON.parse(text).error ?? why;
  } catch {
    // Not JSON: the text itself.
  }
  // A refusal of an earlier token does not concern the current one.
  if (answer.status === 401 && token === session.token) whenLocked(token ? why : '');
  throw new Refusal(answer.status, why || `The server answered ${answer.status}.`);
}

async function asked(method, path, body) {
  const answer = await send(method, path, body);
  try {
    return await answer.json();
  } catch {
    throw new Refusal(0, 'The answer of the server is incomplete.');
  }
}

export const get = (path) => asked('GET', path);
export const post = (path, body) => asked('POST', path, body);
export const patch = (path, body) => asked('PATCH', path, body);
export const remove = (path) => asked('DELETE', path);

// As `get`, for parts that a server can be built or started without: `undefined` if it lacks them.
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
