"""Guesses at credentials."""

import concurrent.futures
import json
import threading
import time

from .. import measure, sip
from ..api import expect, send
from ..case import attack
from ..load import UNAUTHORIZED, Wrk
from ..phone import Phone, datagram_socket

ADMIN = ("admin", "a right password")
# In seconds: the longest that a call of the user may take until its answer. And the least number of calls that begin
# and are answered during the guesses, each from an address that never called before.
CALL_SECONDS, FRESH_CALLS = 16.0, 3


@attack("guessing-digest")
def guessing_digest(case):
    """One source answers every challenge with wrong passwords of one user. Few of its guesses a second are checked,
    and meanwhile the user's calls continue, from the usual source and from new ones.
    """
    server = case.server()
    trunk = server.account.trunk(allowed=("127.0.0.0/8",))
    seconds = case.size(20.0, 5.0)
    sources = (f"127.0.4.{number}" for number in range(1, 255))

    def from_a_new_address():
        with Phone(server, next(sources), trunk) as phone:
            return phone.place_and_hang_up(CALL_SECONDS)

    with Phone(server, "127.0.0.2", trunk) as phone:
        phone.place_and_hang_up()
        lines = server.log_lines()
        # Only the pulse's thread uses the phone during the measurement.
        with measure.Pulse(lambda: phone.place_and_hang_up(CALL_SECONDS), 0.2) as calls:
            with measure.Pulse(from_a_new_address, seconds / 5) as fresh:
                verdicts = guesses(server, trunk, seconds, lambda: len(fresh.seconds) >= FRESH_CALLS)
                during = list(fresh.seconds)
        lines = server.log_lines() - lines
    case.at_most("verdicts on wrong passwords, a second", verdicts / seconds, 50.0)
    case.at_most("the user's calls that failed", calls.failed, 0)
    case.at_least("the user's calls beside it", len(calls.seconds), 3)
    case.at_least("the user's calls from new addresses beside it", len(during), FRESH_CALLS)
    case.at_most("the user's calls from new addresses, slowest", measure.percentile(during, 1.0), CALL_SECONDS, "s")
    case.at_most("log lines", lines, 60)
    case.at_most("calls of an address that failed while another sender forges it", forged(server, trunk), 0)


def forged(server, trunk):
    """Sends wrong digests with the address of a caller that never called before, and calls from it meanwhile. The
    forger does not receive the challenges to that address, and answers one to its own. Returns how many calls failed.
    """
    uri, source = f"sip:9990200@{server.sip[0]}", "127.0.5.1"
    with datagram_socket("127.0.0.67") as own, datagram_socket(source) as forger, Phone(server, source, trunk) as phone:
        own.settimeout(CALL_SECONDS)
        own.sendto(sip.request("INVITE", uri, local=own.getsockname()), server.sip)
        while (challenge := sip.Message.parse(own.recv(65_536))).code < 200:
            pass
        line = sip.authorization(challenge, trunk.username, "guess", "INVITE", uri)

        def forge():
            forger.sendto(sip.request("INVITE", uri, local=forger.getsockname(), headers=[line]), server.sip)
            return 0.0

        with measure.Pulse(forge, 0.02) as forging:
            # More than the limit of wrong digests.
            while len(forging.seconds) < 40:
                time.sleep(0.1)
            return [phone.place_and_hang_up(CALL_SECONDS)].count(None)


def guesses(server, trunk, seconds, done):
    """Sends guesses as fast as answers arrive, 32 at a time, for this time and then until the condition holds. Returns
    how many were checked in this time.
    """
    judged, end, tries = 0, time.monotonic() + seconds, {}
    latest = end + FRESH_CALLS * CALL_SECONDS
    uri = f"sip:9990200@{server.sip[0]}"
    with datagram_socket("127.0.0.66") as own:
        own.settimeout(0.2)
        local = own.getsockname()

        def begin():
            call = sip.unique()
            tries[call] = f"<sip:12025550143@127.0.0.66>;tag={call}"
            own.sendto(sip.request("INVITE", uri, local=local, call_id=call, sender=tries[call]), server.sip)

        while (now := time.monotonic()) < end or now < latest and not done():
            while len(tries) < 32:
                begin()
            try:
                message = sip.Message.parse(own.recv(65_536))
            except TimeoutError:
                tries.clear()
                continue
            call = message.header("call-id")
            if call not in tries or message.code < 200:
                continue
            own.sendto(sip.request("ACK", uri, local=local, call_id=call, sender=tries[call],
                                   to=message.header("to"), sequence=message.sequence), server.sip)
            if message.sequence == 1 and message.code in (401, 407):
                line = sip.authorization(message, trunk.username, f"guess {call}", "INVITE", uri)
                own.sendto(sip.request("INVITE", uri, local=local, call_id=call, sender=tries[call], sequence=2,
                                       headers=[line]), server.sip)
            else:
                judged += now < end and message.sequence == 2 and message.code in (401, 403, 407)
                del tries[call]
    return judged


@attack("guessing-login")
def guessing_login(case):
    """Hundreds of connections log in with wrong passwords, for one name and for many. Right logins from another
    address succeed at all times.
    """
    server = case.server("--voipbin-admin", ":".join(ADMIN))
    connections, seconds = case.size((500, 20), (100, 6))
    end, verdicts, lock = threading.Event(), [0], threading.Lock()

    def guess(number):
        while not end.is_set():
            name = ADMIN[0] if number % 2 else f"stranger {number}"
            answer = login(server, name, f"guess {number}", "127.0.0.66")
            if answer.status in (400, 401, 403):
                with lock:
                    verdicts[0] += 1
            end.wait(0.02)

    login(server, *ADMIN, "127.0.0.2")
    lines = server.log_lines()
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        for number in range(connections):
            pool.submit(guess, number)
        try:
            with measure.Pulse(lambda: measure.seconds_of(login(server, *ADMIN, "127.0.0.2")), 0.3) as right:
                time.sleep(seconds)
        finally:
            end.set()
    case.at_least("right logins beside it", len(right.seconds), 3)
    case.at_most("right logins that failed", right.failed, 0)
    case.at_most("verdicts on wrong logins of one address, a second", verdicts[0] / seconds, 50.0)
    case.at_most("log lines", server.log_lines() - lines, 60)


@attack("login-timing", short=False)
def login_timing(case):
    """The time of a refused login does not reveal whether its name exists."""
    server = case.server("--voipbin-admin", ":".join(ADMIN))
    names = {ADMIN[0]: [], "stranger": []}
    for number in range(40):
        for name, seconds in names.items():
            # Each from another address: this measures the check, not the limit on guesses.
            answer = login(server, name, "wrong", f"127.0.{10 + number}.{1 + len(name)}")
            if answer.status in (400, 401, 403):
                seconds.append(answer.seconds)
    known, unknown = (measure.median(seconds) for seconds in names.values())
    case.at_most("median of a known name, of an unknown one, the longer by the shorter",
                 max(known, unknown) / min(known, unknown) if known and unknown else None, 1.5)


def login(server, name, password, source):
    body = json.dumps({"username": name, "password": password})
    return send(server.api, "POST", "/auth/login", body, {"Content-Type": "application/json"}, source, 10.0)


@attack("guessing-keys")
def guessing_keys(case):
    """One address tries API keys as fast as answers arrive. Few of its guesses a second are checked; a right key
    from another address is served.
    """
    server = case.server()
    seconds = case.size(10, 4)
    lines = server.log_lines()

    def read():
        return measure.seconds_of(send(server.api, "GET", "/v3/dids", None, server.account.headers, "127.0.0.2"))

    with Wrk(f"http://{server.api}/v3/dids", {"Api-Key": "guess"}, 16, seconds, UNAUTHORIZED) as load:
        with measure.Pulse(read, 0.02) as right:
            time.sleep(seconds - 1)
        load = load.finish()
    case.at_least("requests of the guesser that were answered, a second", load.a_second, case.size(5_000, 500))
    # Another status than 401 is no verdict on a key: 60 at once and one a second after them.
    case.at_most("verdicts on wrong keys, a second", load.unauthorized, 60.0)
    case.at_most("a right key's read from another address, median", right.median, case.size(0.1, 1.0), "s")
    case.at_most("a right key's reads that failed", right.failed, 0)
    case.at_most("log lines", server.log_lines() - lines, 60)


@attack("key-timing")
def key_timing(case):
    """The time of a refused API key reveals neither whether it was a key once nor how much of it is right, and no
    refusal takes longer than a right key's read.
    """
    server = case.server()
    account = server.account
    added = server.control.post(f"accounts/{account.id}/keys")
    expect(server.control.send("DELETE", f"accounts/{account.id}/keys/{added['id']}"), "removing a key")
    keys = {
        "right": account.key,
        "unknown": "?" * len(account.key),
        "nearly right": account.key[:-1] + "?",
        "removed": added["api_key"],
        # No text, which is refused before any key is looked up.
        "malformed": "\xe9" * len(account.key),
    }
    times = {name: [] for name in keys}
    for number in range(200):
        for place, (name, key) in enumerate(keys.items()):
            # Each from another address: this measures the check, not the limit on guesses.
            source = f"127.0.{10 + number // 50}.{1 + 5 * (number % 50) + place}"
            answer = send(server.api, "GET", "/v3/dids", None, account.headers | {"Api-Key": key}, source)
            if answer.status == (200 if name == "right" else 401):
                times[name].append(answer.seconds)
    case.at_least("expected verdicts on 1,000 keys", sum(map(len, times.values())), 990)
    right, *refused = (measure.median(seconds) for seconds in times.values())
    is_complete = right is not None and None not in refused
    case.at_most("medians of unknown, nearly right, removed, malformed: longest by shortest",
                 max(refused) / min(refused) if is_complete else None, case.size(1.5, 2.0))
    case.at_most("the longest of these by the median of a right key's read",
                 max(refused) / right if is_complete else None, case.size(1.5, 2.0))
