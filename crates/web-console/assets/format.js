// Formats values for display.

import { h, none } from './dom.js';

const DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
// With `hour12` instead, midnight is 24:00 in some locales.
const HOURS = { hourCycle: 'h23', hour: '2-digit', minute: '2-digit' };
const TIME = new Intl.DateTimeFormat(undefined, { ...HOURS, second: '2-digit' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const MONEY = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD', minimumFractionDigits: 2, maximumFractionDigits: 4 });
const COUNT = new Intl.NumberFormat('en-US');

export const count = (value) => COUNT.format(value);

// Without seconds, because it is updated only at each heartbeat.
export const clockTime = (at) => new Date(at).toLocaleString(undefined, { month: 'short', day: 'numeric', ...HOURS });

export const hourOfDay = (at) => at.toLocaleTimeString(undefined, HOURS);

export const clock = (at) => TIME.format(new Date(at));

// The day is left out if it is the day of the other time.
export function time(text, beside) {
  if (!text) return none();
  const at = new Date(text);
  const isSame = beside !== undefined && at.toDateString() === new Date(beside).toDateString();
  const shown = isSame ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`;
  return h('time', { datetime: text, title: FULL.format(at) }, shown);
}

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

export const money = (text) => (text === null || text === undefined ? none() : MONEY.format(Number(text)));

// Microseconds as a duration.
export const micros = (value) => {
  if (value < 1_000) return `${value} µs`;
  if (value < 1_000_000) return `${Number((value / 1_000).toPrecision(3))} ms`;
  return `${Number((value / 1_000_000).toPrecision(3))} s`;
};

export const clipped = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

const TOKENS = /"(?:[^"\\]|\\.)*"?|[{}[\],:]|\s+|[^\s"{}[\],:]+/gs;
const DEEPEST = 16;

// JSON on lines of its own, whole or cut off. Nothing is parsed, so that numbers, order and members of one name stay as they are.
export function indented(text) {
  let [depth, isOpen, result] = [0, false, ''];
  const line = () => `\n${'  '.repeat(Math.min(depth, DEEPEST))}`;
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '}' || token === ']') {
      depth = Math.max(0, depth - 1);
      result += isOpen ? token : line() + token;
      isOpen = false;
    } else if (token.trim() !== '') {
      if (isOpen) result += line();
      isOpen = token === '{' || token === '[';
      if (isOpen) depth += 1;
      result += token === ',' ? token + line() : token === ':' ? ': ' : token;
    }
  }
  return result;
}

export const words = (name) => (name ?? '').replaceAll('_', ' ');

export const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : '');

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
