"""A disk that does not keep what it is given."""

from ..api import send
from ..case import attack
from ..faults import Faults


@attack("failing-sync")
def failing_sync(case):
    """Every flush of the database fails for a while. What was answered before is there after `kill -9`, what was refused
    is not, and until a restart no further write is taken.
    """
    folder = case.folder / "data"
    folder.mkdir()
    database = folder / "trunks.db"
    faults = Faults(folder, case.folder)
    server = case.server(database=database, preload=faults.preload)
    answers = {f"before {number}": server.account.create(f"before {number}").status for number in range(5)}
    faults.set("fail sync 1 0 EIO\n")
    answers |= {f"during {number}": server.account.create(f"during {number}").status for number in range(5)}
    ready = send(server.api, "GET", "/readyz").status
    faults.set("")
    answers |= {f"after {number}": server.account.create(f"after {number}").status for number in range(5)}
    server.kill()
    server = case.server(database=database)
    listed = server.account.send("GET", "voice_out_trunks?page[size]=100").json()["data"]
    there = {trunk["attributes"]["name"] for trunk in listed}
    acknowledged = {name for name, status in answers.items() if status == 201}
    # An answer that says that the outcome is unknown refuses nothing.
    refused = {name for name, status in answers.items() if status != 201 and "during" not in name or status == 0}
    first = {name for name, status in answers.items() if status == 500}
    case.at_most("acknowledged and lost", len(acknowledged - there), 0, "writes")
    case.at_most("refused and there", len((refused | first) & there), 0, "writes")
    case.at_most("writes taken after a failed flush", sum("before" not in name for name in acknowledged), 0, "writes")
    case.at_most("`readyz` that says ok", int(ready == 200), 0)
