// The built server as a process, and requests to its control API.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const LABELS = { API: 'api', Control: 'control', Console: 'console', SIP: 'sip' };

// Settings in the caller's environment must not affect the server.
const others = () => Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRUNK_SERVER_')));

export class Server {
  static start(binary, further = [], control = '127.0.0.1:0') {
    const listens = ['--listen', '127.0.0.1:0', '--control-listen', control, '--sip-listen', '127.0.0.1:0'];
    return Server.#run(binary, [...listens, '--ephemeral', '--api-key', 'console-key', ...further]);
  }

  // Starts what a line of a page starts, in a folder and with this path of programs. Its listeners have other ports.
  static pasted(line, cwd, PATH) {
    const listens = ['LISTEN', 'CONTROL_LISTEN', 'SIP_LISTEN'].map((name) => [`TRUNK_SERVER_${name}`, '127.0.0.1:0']);
    return Server.#run('sh', ['-c', `exec ${line}`], { cwd, env: { ...Object.fromEntries(listens), PATH } });
  }

  static async #run(program, words, { cwd, env } = {}) {
    const options = { cwd, env: { ...others(), NO_COLOR: '1', ...env }, stdio: ['ignore', 'pipe', 'pipe'] };
    const child = spawn(program, words, options);
    const server = new Server(child);
    for await (const line of createInterface({ input: child.stdout })) {
      const [label, ...rest] = line.trim().split(':');
      if (LABELS[label]) server[LABELS[label]] = rest.join(':').trim();
      if (line.includes('Try it')) break;
    }
    if (!server.control) throw new Error(`the server did not start:\n${server.log}`);
    // So that the child never waits for a reader.
    child.stdout.resume();
    server.sip = server.sip.split(' ')[0];
    return server;
  }

  constructor(child) {
    this.child = child;
    this.log = '';
    child.stderr.on('data', (bytes) => (this.log += bytes));
  }

  async stop() {
    if (this.child.exitCode !== null) return;
    this.child.kill('SIGTERM');
    await once(this.child, 'exit');
  }

  async send(path, body, method = body === undefined ? 'GET' : 'POST', token) {
    const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
    const answer = await fetch(`${this.control}${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  // A trunk through DIDWW's API, as its owner creates it.
  async trunk(attributes) {
    const headers = { 'Api-Key': 'console-key', 'X-DIDWW-API-Version': '2026-04-16', 'Content-Type': 'application/vnd.api+json' };
    const body = JSON.stringify({ data: { type: 'voice_out_trunks', attributes } });
    const answer = await fetch(`${this.api}/voice_out_trunks`, { method: 'POST', headers, body });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status} ${text}`);
    return JSON.parse(text).data.id;
  }

  // Processor time of the process so far, in seconds.
  async processorTime() {
    const { readFile } = await import('node:fs/promises');
    const fields = (await readFile(`/proc/${this.child.pid}/stat`, 'utf8')).split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
}
