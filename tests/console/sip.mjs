// A caller: sends INVITEs over UDP from loopback, with or without SDP, and answers what the server sends.

import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const DEADLINE = 15_000;

const header = (message, name) => message.match(new RegExp(`^${name}: *(.*)$`, 'im'))?.[1].trim();

export class Caller {
  static async open(server) {
    const [host, port] = server.split(':');
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new Caller(socket, { host, port: Number(port) });
  }

  constructor(socket, server) {
    this.socket = socket;
    this.server = server;
    this.calls = new Map();
    socket.on('message', (bytes) => this.received(bytes.toString()));
  }

  get at() {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  close() {
    this.socket.close();
  }

  // Places a call. Resolves to its final response, `{ code, callId }`; one with a 2xx is acknowledged.
  call(from, to) {
    const callId = `${randomUUID()}@console.test`;
    const tag = randomUUID().slice(0, 8);
    const sdp = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', 'm=audio 40000 RTP/AVP 8', ''].join('\r\n');
    const call = { callId, from, to, tag, branch: `z9hG4bK${randomUUID()}` };
    const answered = new Promise((resolve, reject) => {
      call.resolve = resolve;
      call.timer = setTimeout(() => reject(new Error(`no final response to ${to}`)), DEADLINE);
    });
    this.calls.set(callId, call);
    this.send(call, 'INVITE', 1, undefined, sdp);
    return answered;
  }

  send({ callId, from, to, tag, branch }, method, number, remote, body = '') {
    const target = `sip:${to}@${this.server.host}:${this.server.port}`;
    const lines = [
      `${method} ${target} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.at};branch=${branch};rport`,
      'Max-Forwards: 70',
      `From: <sip:${from}@127.0.0.1>;tag=${tag}`,
      `To: ${remote ?? `<${target}>`}`,
      `Call-ID: ${callId}`,
      `CSeq: ${number} ${method}`,
      `Contact: <sip:${from}@${this.at}>`,
      'User-Agent: console tests',
      ...(body ? ['Content-Type: application/sdp'] : []),
      `Content-Length: ${body.length}`,
      '',
      body,
    ];
    this.socket.send(lines.join('\r\n'), this.server.port, this.server.host);
  }

  received(message) {
    const call = this.calls.get(header(message, 'Call-ID'));
    const response = message.match(/^SIP\/2\.0 (\d{3})/);
    if (!call) return;
    if (!response) {
      // A BYE, or an OPTIONS of a session timer.
      const kept = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${header(message, name)}`);
      this.socket.send(['SIP/2.0 200 OK', ...kept, 'Content-Length: 0', '', ''].join('\r\n'), this.server.port, this.server.host);
      return;
    }
    const code = Number(response[1]);
    if (code < 200) return;
    // The ACK of a 2xx is a transaction of its own.
    if (code < 300) call.branch = `z9hG4bK${randomUUID()}`;
    this.send(call, 'ACK', 1, header(message, 'To'));
    clearTimeout(call.timer);
    call.resolve({ code, callId: call.callId });
  }
}
