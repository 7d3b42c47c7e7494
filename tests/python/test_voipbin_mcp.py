"""VoIPBIN's own program for AI assistants, unchanged, against the real binary.

The program is started as an assistant starts it: as a child process that speaks MCP over its standard streams. Names
that begin with `case_` have the numbers of the platform's specification.
"""

import asyncio
import json
import os
import sys
import time
import uuid

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from trunk_server import Server

ZERO = "00000000-0000-0000-0000-000000000000"
SOURCE = "+12025550143"
# A number that the server's own edge answers.
ANSWERED = "+442079460018"
SUPER_ADMIN, CUSTOMER_ADMIN = 1, 32
SECONDS_TO_HANG_UP = 30


class Platform:
    """A server with a customer that can call through the server's own edge."""

    def __init__(self, server):
        self.server = server
        self.base_url = server.base_url.replace("/v3", "/v1.0")
        self.customer = server.control.send("POST", "customers", name="Acme")["id"]
        self.number = self.create("numbers", number=SOURCE)["id"]
        self.key = self.create("accesskeys", name="tenant")["accesskey"]
        self.staff_key = self.create("accesskeys", permission=SUPER_ADMIN | CUSTOMER_ADMIN)["accesskey"]
        credentials = {"api_key": server.api_key, "base_url": server.base_url}
        setup = {"carrier": "didww", "name": "Own edge", "credentials": credentials}
        self.provider = self.request("POST", "providers/setup", **setup)["id"]
        route = {"customer_id": self.customer, "provider_id": self.provider, "target": "all"}
        self.route = self.request("POST", "routes", **route)["id"]
        self.request("PUT", "outbound_config", destination_whitelist=["gb"])

    def create(self, kind, **body):
        """Creates a record of the customer over the control API."""
        return self.server.control.send("POST", f"customers/{self.customer}/{kind}", **body)

    def request(self, method, path, **body):
        """A request of staff that the program has no tool for."""
        session = self.server.control.session
        answer = session.request(
            method, f"{self.base_url}/{path}", json=body or None, params={"accesskey": self.staff_key}
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    log = tmp_path_factory.mktemp("voipbin") / "log"
    running = Server(log, "voipbin-mcp-key", "--sip-listen", "127.0.0.1:0")
    yield Platform(running)
    assert running.stop() == 0, f"the server ended badly:\n{log.read_text()}"


class Tools:
    """The program's tools."""

    def __init__(self, session):
        self.session = session

    # Tools have an argument `name`.
    async def text(self, tool, /, **arguments):
        """Runs a tool. Returns whether it failed, and its text."""
        result = await self.session.call_tool(tool, arguments)
        [content] = result.content
        return result.isError, content.text

    async def json(self, tool, /, **arguments):
        """Runs a tool that must succeed. Returns the server's answer."""
        failed, text = await self.text(tool, **arguments)
        assert not failed, f"{tool}: {text}"
        return json.loads(text)


def run(platform, steps, key=None, transport="cookie"):
    """Starts the program with an access key, and runs these steps with its tools."""
    environment = {
        **os.environ,
        "VOIPBIN_API_KEY": key or platform.key,
        "VOIPBIN_API_BASE_URL": platform.base_url,
        "VOIPBIN_AUTH_TRANSPORT": transport,
        # The program must not leave a cache in the environment of the tests.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    program = StdioServerParameters(
        command=os.path.join(os.path.dirname(sys.executable), "voipbin-mcp"), env=environment
    )

    async def session():
        async with stdio_client(program) as (reader, writer), ClientSession(reader, writer) as session:
            await session.initialize()
            return await steps(Tools(session))

    return asyncio.run(session())


def ids(page):
    return [record["id"] for record in page["result"]]


def test_case_172_flows_are_created_read_changed_listed_and_deleted(platform):
    # The example in the description of the program's own tool.
    actions = [
        {"id": "a1", "next_id": "a2", "type": "answer", "option": {}},
        {"id": "a2", "next_id": "", "type": "hangup", "option": {}},
    ]

    async def steps(tools):
        flow = await tools.json("create_flow", name="Greeting", detail="d", actions=actions)
        assert [action["type"] for action in flow["actions"]] == ["answer", "hangup"]
        for action in flow["actions"]:
            assert uuid.UUID(action["id"]).version == 4 and action["next_id"] == ZERO
        assert await tools.json("get_flow", flow_id=flow["id"]) == flow
        changed = await tools.json("update_flow", flow_id=flow["id"], name="n", detail="", actions=[])
        assert changed["name"] == "n" and "actions" not in changed
        assert flow["id"] in ids(await tools.json("list_flows"))
        deleted = await tools.json("delete_flow", flow_id=flow["id"])
        assert deleted["tm_delete"] == deleted["tm_update"]
        assert flow["id"] not in ids(await tools.json("list_flows"))
        failed, text = await tools.text("get_flow", flow_id=flow["id"])
        assert failed and "VoIPbin API error 404 (RESOURCE_NOT_FOUND)" in text

    run(platform, steps)


@pytest.mark.parametrize("transport", ["cookie", "query"])
def test_case_173_the_customer_its_numbers_and_its_calls(platform, transport):
    async def steps(tools):
        customer = await tools.json("get_customer")
        assert customer["id"] == platform.customer and customer["webhook_secret"]
        numbers = await tools.json("list_numbers", page_size=5)
        assert [number["number"] for number in numbers["result"]] == [SOURCE]
        number = await tools.json("get_number", number_id=platform.number)
        assert number == numbers["result"][0]

        sleep = {"type": "sleep", "option": {"duration": 600_000}}
        flow = await tools.json("create_flow", name="Wait", detail="", actions=[{"type": "answer"}, sleep])
        source = {"source_type": "tel", "source_target": SOURCE}
        destination = {"destination_type": "tel", "destination_target": ANSWERED}
        placed = await tools.json("create_call", **source, **destination, flow_id=flow["id"])
        assert placed["groupcalls"] == []
        [call] = placed["calls"]
        assert call["flow_id"] == flow["id"]
        answered = await until(tools, call["id"], "progressing")
        assert answered["tm_progressing"]
        assert call["id"] in ids(await tools.json("list_calls"))
        await tools.json("hangup_call", call_id=call["id"])
        ended = await until(tools, call["id"], "hangup")
        assert (ended["hangup_reason"], ended["hangup_by"]) == ("normal", "local")
        # Hanging up again is no error, on which the program relies.
        assert (await tools.json("hangup_call", call_id=call["id"]))["status"] == "hangup"

    run(platform, steps, transport=transport)


async def until(tools, call, status):
    deadline = time.monotonic() + SECONDS_TO_HANG_UP
    while (found := await tools.json("get_call", call_id=call))["status"] != status:
        assert time.monotonic() < deadline, found
    return found


def test_case_174_routes_are_not_for_tenants(platform):
    async def steps(tools):
        for tool, arguments in [("list_routes", {}), ("get_route", {"route_id": platform.route})]:
            failed, text = await tools.text(tool, **arguments)
            words = "VoIPbin API error 403 (PERMISSION_DENIED): You do not have permission to access this resource."
            assert failed and words in text and "[request_id: req_" in text

    run(platform, steps)


def test_case_175_a_number_is_taken_over_for_incoming_calls_and_given_back(platform):
    path = f"numbers/{platform.number}/flow_ids"

    async def steps(tools):
        former = await tools.json("create_flow", name="Former", detail="", actions=[{"type": "answer"}])
        platform.request("PUT", path, call_flow_id=former["id"], message_flow_id=former["id"])
        taken = await tools.json("phone_incoming_configure", number_id=platform.number, enabled=True)
        assert (taken["enabled"], taken["previous_call_flow_id"]) == (True, former["id"])
        number = await tools.json("get_number", number_id=platform.number)
        assert number["call_flow_id"] == taken["call_flow_id"] != former["id"]
        # The program sends the call flow alone, which empties the other one.
        assert number["message_flow_id"] == ZERO

        given = await tools.json("phone_incoming_configure", number_id=platform.number, enabled=False)
        assert (given["enabled"], given["call_flow_id"]) == (False, former["id"])
        assert given["previous_call_flow_id"] == taken["call_flow_id"]
        number = await tools.json("get_number", number_id=platform.number)
        assert number["call_flow_id"] == former["id"]
        failed, text = await tools.text("get_flow", flow_id=taken["call_flow_id"])
        assert failed and "VoIPbin API error 404 (RESOURCE_NOT_FOUND)" in text

    run(platform, steps)
    platform.request("PUT", path, call_flow_id=ZERO, message_flow_id=ZERO)


def test_routes_are_for_a_key_that_the_control_api_granted_the_right(platform):
    async def steps(tools):
        assert ids(await tools.json("list_routes")) == [platform.route]
        route = await tools.json("get_route", route_id=platform.route)
        assert (route["target"], route["provider_id"]) == ("all", platform.provider)

    run(platform, steps, key=platform.staff_key)


def test_a_deleted_key_is_refused_at_once(platform):
    record = platform.create("accesskeys", name="short-lived")

    async def steps(tools):
        await tools.json("get_customer")
        platform.server.control.send("DELETE", f"customers/{platform.customer}/accesskeys/{record['id']}")
        failed, text = await tools.text("get_customer")
        assert failed and "VoIPbin API error 401 (INVALID_CREDENTIALS)" in text

    run(platform, steps, key=record["accesskey"])
