"""A well-behaved caller over UDP: it retransmits lost messages, answers challenges and acknowledges.

One phone holds any number of calls on one signalling socket and one media socket, without threads: `run` receives and
retransmits until a condition holds.
"""

import select
import socket
import time

from . import sip

# RFC 3261: T1 in seconds, and the time that an INVITE waits for its final answer (64 * T1).
T1 = 0.5
GIVE_UP = 32.0
# In seconds: the maximum wait for the answer to a call.
ANSWER_TIMEOUT = 8.0



def datagram_socket(source, port=0, room=1 << 22):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    made.bind((source, port))
    return made


class Call:
    """One call: `code` is the code of its final answer, None before it."""

    def __init__(self, phone, uri, body, sender, headers):
        self.phone = phone
        self.uri = uri
        self.body = body
        self.id = sip.unique()
        self.sender = sender or f"<sip:12025550143@{phone.local[0]}>;tag={sip.unique()}"
        self.headers = list(headers)
        self.to = f"<{uri}>"
        self.target = uri
        self.sequence = 0
        self.branch = None
        self.code = None
        self.media = None
        self.answer = None
        self.challenges = 0
        self.ended = False
        self.started = time.monotonic()
        self.seconds = None
        self.pending = None

    @property
    def up(self):
        return self.code == 200 and not self.ended

    def text(self, method, *, target=None, sequence=None, branch=None, headers=(), body=b""):
        return sip.request(method, target or self.uri, local=self.phone.local, branch=branch or sip.unique(),
                           call_id=self.id, sender=self.sender, to=self.to, sequence=sequence or self.sequence,
                           headers=headers, body=body)

    def invite(self, further=(), body=None):
        """Sends an INVITE, and retransmits it until the first response."""
        self.sequence += 1
        self.branch = sip.unique()
        text = self.text("INVITE", target=self.target, branch=self.branch, headers=[*self.headers, *further],
                         body=self.body if body is None else body)
        self._send("INVITE", text)

    def ask(self, method, body=b"", headers=()):
        """Sends a request in the dialog, and retransmits it until its answer."""
        self.sequence += 1
        self.answer = None
        self._send(method, self.text(method, target=self.target, headers=headers, body=body))

    def _send(self, method, text):
        now = time.monotonic()
        self.pending = [method, text, now + T1, T1, now + GIVE_UP]
        self.phone.send(text)

    def repeat(self, now):
        """Retransmits a message that was not answered in time."""
        if self.pending and now >= self.pending[2]:
            _, text, _, wait, end = self.pending
            if now >= end:
                self.pending = None
                return
            self.pending[2:4] = now + 2 * wait, 2 * wait
            self.phone.send(text)

    def take(self, message):
        """Handles a message from the server for this call."""
        if not message.code:
            self._take_request(message)
            return
        if message.sequence != self.sequence:
            # The server retransmits an answer to an INVITE until it receives the ACK.
            return
        if message.code < 200:
            if self.pending and message.method == "INVITE":
                self.pending[2:4] = self.pending[4], 1.0
            return
        if message.method != "INVITE":
            if self.pending and self.pending[0] == message.method:
                self.pending = None
            self.answer = message.code
            if message.method == "BYE":
                self.ended = True
            return
        self._take_final(message)

    def _take_final(self, message):
        first = self.pending is not None
        self.pending = None
        self.answer = message.code
        if message.code >= 300:
            to, self.to = self.to, message.header("to") or self.to
            self.phone.send(self.text("ACK", target=self.uri, branch=self.branch))
            if self.code != 200:
                self.to = to
            trunk = self.phone.trunk
            if message.code in (401, 407) and trunk and trunk.username and self.challenges < 2 and first:
                self.challenges += 1
                self.invite([sip.authorization(message, trunk.username, self.phone.password, "INVITE", self.uri)])
            elif self.code != 200 and first:
                self.code = message.code
                self.seconds = time.monotonic() - self.started
            return
        self.to = message.header("to")
        self.target = message.target() or self.target
        self.media = message.media() or self.media
        if self.code is None:
            self.code = 200
            self.seconds = time.monotonic() - self.started
        if self.phone.acknowledges:
            self.phone.send(self.text("ACK", target=self.target))

    def _take_request(self, message):
        if message.first.startswith("ACK"):
            return
        lines = [f"Via: {value}" for value in message.all("via")]
        lines += [f"{name.title()}: {message.header(name)}" for name in ("from", "to", "call-id", "cseq")]
        self.phone.send("\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0"]).encode() + b"\r\n\r\n")
        if message.first.startswith("BYE"):
            self.ended = True
            self.pending = None


class Phone:
    """A caller with its own source address."""

    def __init__(self, server, source="127.0.0.2", trunk=None, password=None, acknowledges=True):
        self.server = server
        self.trunk = trunk
        self.password = password or (trunk.password if trunk else None)
        self.acknowledges = acknowledges
        self.socket = datagram_socket(source)
        self.media = datagram_socket(source)
        self.local = self.socket.getsockname()
        self.calls = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.media.close()

    def send(self, text):
        try:
            self.socket.sendto(text, self.server.sip)
        except OSError:
            # A closed port answers with an ICMP error; the call is then retransmitted or given up.
            pass

    def call(self, to="9990200", media=None, sender=None, headers=()):
        """Sends an INVITE; `media` is the host and port in its offer."""
        host, port = media or self.media.getsockname()
        call = Call(self, f"sip:{to}@{self.server.sip[0]}", sip.offer(host, port), sender, headers)
        self.calls[call.id] = call
        call.invite()
        return call

    def run(self, done, seconds):
        """Receives and retransmits until a condition holds. Returns whether it does."""
        end = time.monotonic() + seconds
        sweep = 0.0
        while not done():
            now = time.monotonic()
            if now >= end:
                return False
            if now >= sweep:
                for call in list(self.calls.values()):
                    call.repeat(now)
                sweep = now + 0.05
            if select.select([self.socket], [], [], min(0.05, end - now))[0]:
                self._read()
        return True

    def _read(self):
        # All messages that are waiting, but not without end.
        for _ in range(256):
            try:
                data = self.socket.recv(65_536, socket.MSG_DONTWAIT)
            except OSError:
                return
            message = sip.Message.parse(data)
            call = self.calls.get(message.header("call-id"))
            if call:
                call.take(message)

    def place(self, to="9990200", seconds=ANSWER_TIMEOUT, **options):
        """Places a call and waits for its final answer. Returns None if none came in time."""
        call = self.call(to, **options)
        self.run(lambda: call.code is not None, seconds)
        return call

    def place_many(self, count, to="9990200", seconds=60.0, at_once=64):
        """Places calls concurrently, with a limit on the unanswered ones."""
        made = []
        end = time.monotonic() + seconds
        while len(made) < count and time.monotonic() < end:
            waiting = [call for call in made if call.code is None]
            made += [self.call(to) for _ in range(min(at_once - len(waiting), count - len(made)))]
            self.run(lambda: sum(call.code is None for call in made) < at_once, end - time.monotonic())
        self.run(lambda: all(call.code is not None for call in made), end - time.monotonic())
        return made

    def ask(self, call, method, seconds=ANSWER_TIMEOUT, body=b"", headers=()):
        """Returns the code of the answer to a request in a call; None if there was none."""
        call.ask(method, body, headers)
        self.run(lambda: call.answer is not None or call.ended, seconds)
        return call.answer

    def hang_up(self, call, seconds=ANSWER_TIMEOUT):
        return self.ask(call, "BYE", seconds)

    def place_and_hang_up(self, seconds=ANSWER_TIMEOUT):
        """Places a call and ends it. Returns the seconds to its answer, or None if it was not answered with 200."""
        call = self.place(seconds=seconds)
        if call.code != 200:
            return None
        self.hang_up(call)
        del self.calls[call.id]
        return call.seconds
