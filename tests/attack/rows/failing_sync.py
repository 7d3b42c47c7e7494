"""A disk whose flushes fail."""

from ..api import send
from ..case import attack
from ..faults import Faults


@attack("failing-sync")
def failing_sync(case):
    """Every flush of the database fails for a while, and the server is then killed at once, or after the disk works
    again. Acknowledged writes are there, refused ones are not, and until a restart no further write is accepted.
    """
    for what, heals in (("killed at once", False), ("disk well again", True)):
        fail(case, what, heals)


def fail(case, what, heals):
    folder = case.folder / what.replace(" ", "-")
    folder.mkdir()
    database = folder / "trunks.db"
    faults = Faults(folder, case.folder)
    server = case.server(database=database, preload=faults.preload)
    answers = {f"before {number}": server.account.create(f"before {number}") for number in range(5)}
    faults.set("fail sync 1 0 EIO\n")
    answers |= {f"during {number}": server.account.create(f"during {number}") for number in range(5)}
    ready = send(server.api, "GET", "/readyz").status
    faults.set("")
    if heals:
        answers |= {f"after {number}": server.account.create(f"after {number}") for number in range(5)}
    server.kill()
    server = case.server(database=database)
    listed = server.account.send("GET", "voice_out_trunks?page[size]=100").json()["data"]
    there = {trunk["attributes"]["name"] for trunk in listed}
    acknowledged = {name for name, answer in answers.items() if answer.status == 201}
    refused = {name for name, answer in answers.items() if refuses(answer)}
    case.at_most(f"{what}: acknowledged and lost", len(acknowledged - there), 0)
    case.at_most(f"{what}: refused and there", len(refused & there), 0)
    late = sum("before" not in name for name in acknowledged)
    case.at_most(f"{what}: writes taken after a failed flush", late, 0)
    case.at_most(f"{what}: `readyz` that says ok", int(ready == 200), 0)


def refuses(answer):
    """Whether an answer states that nothing was done. A 503 without `Retry-After` states that the outcome is
    unknown.
    """
    return answer.status >= 400 and not (answer.status == 503 and answer.retry_after is None)
