"""A request of each operation that creates something, which the server must accept.

Most bodies that a schema permits are refused by a rule that no schema states, such as a reference that must exist, so
generated requests do not show that an operation accepts anything. These name what the server of the run has."""

import datetime

from .server import PRICES

# Every operation with POST that is not here has an example.
WITHOUT_EXAMPLE = {
    "control": {
        "POST /journal/wait": "it is left out: it waits; tests/it/lab waits with it",
        "POST /providers/probe": "it is left out: its requests go to hosts of providers",
        **{f"POST /accounts/{{id}}/{kind}/{{verification}}/{review}": "it needs a pending verification; tests/it reviews some"
           for kind in ("address_verifications", "emergency_verifications") for review in ("approve", "reject")},
    },
    "voipbin": {
        "POST /providers/setup": "it is left out: its requests go to a carrier",
        "POST /auth/login": "it is left out: it is beside the base URL",
    },
}
# In every version of DIDWW's API.
WITHOUT_EXAMPLE_OF_VERSIONS = {
    "POST /encrypted_files": "it takes a form with a file, which a generated body is not; tests/it sends some",
    "POST /proofs": "it needs an uploaded file; tests/it uploads one",
    "POST /permanent_supporting_documents": "it needs an uploaded file; tests/it uploads one",
    # What is required of a number, an address and an identity that fit each other.
    "POST /requirement_validations": "it needs a whole registration; tests/it has some",
    "POST /address_requirement_validations": "it needs a whole registration; tests/it has some",
    "POST /emergency_requirement_validations": "it needs a whole registration; tests/it has some",
    "POST /emergency_verifications": "it needs a whole registration; tests/it has some",
}
# Relationships of DIDs to one record.
OF_DIDS = (
    "did_group", "order", "identity", "emergency_verification", "capacity_pool", "shared_capacity_group", "voice_in_trunk",
    "voice_in_trunk_group", "sms_trunk", "sms_trunk_group", "address_verification", "emergency_calling_service",
)
TELEPHONE = {"type": "tel", "target": "+12025550143"}
# The callee plays no part: the call goes to a provider whose host is on loopback, and its outcome does not matter.
CALL = {
    "source": TELEPHONE,
    "destinations": [{"type": "tel", "target": "+442079460018"}],
    "actions": [{"type": "answer"}, {"type": "sleep", "option": {"duration": 60_000}}],
}


def examples(name, server):
    """Returns the requests as pairs of a path's parameters and a body, by operation."""
    if name == "control":
        return of_control(server)
    if name == "voipbin":
        return of_voipbin(server)
    if name == "published token" or name in PRICES:
        # The first one's document has examples, and prices are only read.
        return {}
    return of_versions(name, server)


def of_versions(name, server):
    version = name.removeprefix("published ")
    created = server.send(name, "/voice_out_trunks", trunk(version, "For the examples"))
    trunk_id = created["data"]["id"]
    dids = {one["attributes"]["number"]: one["id"] for one in server.send(name, "/dids")["data"]}
    # The one with emergency calling.
    linkage = {"data": [{"type": "dids", "id": dids["12025550143"]}]}
    rotation = {"type": "voice_out_trunk_regenerate_credentials", "relationships": {
        "voice_out_trunk": {"data": {"type": "voice_out_trunks", "id": trunk_id}}}}
    of_trunk, of_did = {"id": trunk_id}, {"id": dids["12025550143"]}
    requests = {
        "POST /voice_out_trunks": ({}, trunk(version, "An example")),
        "POST /voice_out_trunk_regenerate_credentials": ({}, {"data": rotation}),
        "GET /voice_out_trunks/{id}": (of_trunk, None),
        "GET /dids/{id}": (of_did, None),
        "GET /dids/{id}/did_group": (of_did, None),
    }
    for relationship in ("dids", "emergency_dids"):
        requests[f"GET /voice_out_trunks/{{id}}/{relationship}"] = (of_trunk, None)
        at = f"/voice_out_trunks/{{id}}/relationships/{relationship}"
        requests |= {f"GET {at}": (of_trunk, None)}
        requests |= {f"{method} {at}": (of_trunk, linkage) for method in ("POST", "PATCH", "DELETE")}
    for relationship in OF_DIDS:
        at = f"/dids/{{id}}/relationships/{relationship}"
        requests |= {f"GET {at}": (of_did, None), f"PATCH {at}": (of_did, {"data": None})}
    return requests | of_shared_capacity(server, name, linkage) | of_inbound(server, name, version) | of_registration(
        server, name, version) | of_buying(server) | of_messages(server, name, version, linkage) | of_exports(version)


def document(kind, attributes, **related):
    """The body of a request that creates a record; `related` are the relationships, each a type and an id."""
    relationships = {one: {"data": {"type": target, "id": of}} for one, (target, of) in related.items()}
    return {"data": {"type": kind, "attributes": attributes, **({"relationships": relationships} if relationships else {})}}


def stored(server, kind, attributes, path="", **related):
    """Stores a record with the control API, and returns its id."""
    return server.send("control", f"{path}/records/{kind}", {"attributes": attributes, "relationships": related})["id"]


def own_account(server):
    return f"/accounts/{server.send('control', '/accounts')['accounts'][0]['id']}"


def of_shared_capacity(server, name, linkage):
    pool = stored(server, "capacity_pools", {"name": "Standard", "total_channels_count": 30}, own_account(server))
    body = document("shared_capacity_groups", {"name": "An example"}, capacity_pool=("capacity_pools", pool))
    made = document("shared_capacity_groups", {"name": "For the examples"}, capacity_pool=("capacity_pools", pool))
    group = {"id": server.send(name, "/shared_capacity_groups", made)["data"]["id"]}
    return {
        "POST /shared_capacity_groups": ({}, body),
        "POST /shared_capacity_groups/{id}/relationships/dids": (group, linkage),
    }


def of_inbound(server, name, version):
    configuration = {"type": "sip_configurations", "attributes": {"host": "sip.example.com"}}
    trunk = {"name": "For the examples", "configuration": configuration}
    made = server.send(name, "/voice_in_trunks", document("voice_in_trunks", trunk))["data"]["id"]
    group = server.send(name, "/voice_in_trunk_groups", document("voice_in_trunk_groups", {"name": "Group for the examples"}))
    return {
        "POST /voice_in_trunks": ({}, document("voice_in_trunks", trunk | {"name": "An example"})),
        "POST /voice_in_trunk_groups/{id}/relationships/voice_in_trunks": (
            {"id": group["data"]["id"]}, {"data": [{"type": "voice_in_trunks", "id": made}]}),
    }


def of_messages(server, name, version, linkage):
    if version < "2026-11-19":
        return {}
    configuration = {"type": "smpp_esme", "attributes": {"server_location": "nyc"}}
    trunk = {"name": "Messages for the examples", "configuration": configuration}
    made = server.send(name, "/sms_trunks", document("sms_trunks", trunk))["data"]["id"]
    group = document("sms_trunk_groups", {"name": "Message group for the examples"})
    group = server.send(name, "/sms_trunk_groups", group)["data"]["id"]
    rotation = document("sms_trunk_regenerate_credentials", {}, sms_trunk=("sms_trunks", made))
    return {
        "POST /sms_trunks": ({}, document("sms_trunks", trunk | {"name": "An example of messages"})),
        "POST /sms_trunk_groups": ({}, document("sms_trunk_groups", {"name": "An example of groups"})),
        "POST /sms_trunk_regenerate_credentials": ({}, rotation),
        "POST /sms_trunks/{id}/relationships/outgoing_dids": ({"id": made}, linkage),
        "POST /sms_trunk_groups/{id}/relationships/sms_trunks": (
            {"id": group}, {"data": [{"type": "sms_trunks", "id": made}]}),
    }


def of_exports(version):
    day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    filters = {"from": f"{day:%Y-%m-%d} 00:00:00", "to": f"{day:%Y-%m-%d} 12:00:00"}
    if version < "2026-04-16":
        filters = {"year": day.year, "month": day.month}
    return {"POST /exports": ({}, document("exports", {"export_type": "cdr_out", "filters": filters}))}


def of_registration(server, name, version):
    country = ("countries", stored(server, "countries", {"name": "Exampleland", "prefix": "999", "iso": "XE"}))
    person = "Personal" if version < "2026-04-16" else "personal"
    identity = document("identities", {
        "identity_type": person, "first_name": "Ada", "last_name": "Lovelace", "phone_number": "12025550143"}, country=country)
    registered = ("identities", server.send(name, "/identities", identity)["data"]["id"])
    address = {"address": "1 Example Street", "city_name": "Example", "postal_code": "10115"}
    of_address = document("addresses", address | {"description": "Of the examples"}, country=country, identity=registered)
    of_address = ("addresses", server.send(name, "/addresses", of_address)["data"]["id"])
    number = {"number": f"3706149{len(name):02}{version[3]}{version[6]}"}
    did = server.send("control", f"{own_account(server)}/dids", number)["dids"][0]["id"]
    verification = document("address_verifications", {}, address=of_address)
    verification["data"]["relationships"]["dids"] = {"data": [{"type": "dids", "id": did}]}
    return {
        "POST /address_verifications": ({}, verification),
        "POST /identities": ({}, identity),
        "POST /addresses": ({}, document("addresses", address, country=country, identity=registered)),
    }


def of_buying(server):
    unit, number = shop(server, own_account(server))
    item = {"type": "did_order_items", "attributes": {"sku_id": unit, "qty": 1}}
    return {
        "POST /did_reservations": ({}, document("did_reservations", {}, available_did=("available_dids", number))),
        "POST /orders": ({}, document("orders", {"items": [item]})),
    }


def shop(server, account):
    """Stores money, and a group with a number in stock. Returns the ids of its price and of the number."""
    stored(server, "balances", {"balance": "500.0"}, account)
    unit = stored(server, "stock_keeping_units", {"setup_price": "0.5", "monthly_price": "1.5"})
    attributes = {"area_name": "Berlin", "prefix": "30", "features": ["voice_in"], "number_type": "local"}
    group = stored(server, "did_groups", attributes, stock_keeping_units=[unit])
    return unit, stored(server, "available_dids", {"number": "493040000001"}, did_group=group)


def trunk(version, name):
    attributes = {"name": name, "on_cli_mismatch_action": "reject_call"}
    addresses = {"allowed_sip_ips": ["203.0.113.10"]}
    if version < "2026-04-16":
        attributes |= addresses
    else:
        attributes["authentication_method"] = {"type": "credentials_and_ip", "attributes": addresses}
    return {"data": {"type": "voice_out_trunks", "attributes": attributes}}


def of_control(server):
    account = server.send("control", "/accounts", {"name": "For the examples", "version": "2026-04-16"})
    key, account = account["api_key"], account["id"]
    to_reset = server.send("control", "/accounts", {"name": "To be reset"})["id"]
    secret = server.send("control", f"/accounts/{account}/callback_secrets", {})["id"]
    customer = server.send("control", "/customers", {"name": "For the examples"})["id"]
    headers = {"Api-Key": key, "Content-Type": "application/vnd.api+json"}
    made = server.send("2026-04-16", "/voice_out_trunks", trunk("2026-04-16", "For the examples"), headers)
    of_account, of_customer = {"id": account}, {"id": customer}
    group = {"area_name": "Berlin", "prefix": "30", "features": ["voice_in"], "number_type": "local"}
    unit, _ = shop(server, f"/accounts/{account}")
    # More than there are: the order waits, until it is carried out or canceled.
    item = {"type": "did_order_items", "attributes": {"sku_id": unit, "qty": 2}}
    orders = [server.send("2026-04-16", "/orders", document("orders", {"items": [item]}), headers)["data"]["id"] for _ in range(2)]
    return {
        "POST /accounts": ({}, {"name": "An example"}),
        "POST /accounts/{id}/orders/{order}/complete": ({"id": account, "order": orders[0]}, None),
        "POST /accounts/{id}/orders/{order}/cancel": ({"id": account, "order": orders[1]}, None),
        "POST /accounts/{id}/callback_secrets": (of_account, {"enabled": False}),
        "POST /accounts/{id}/callback_secrets/{secret}/rotate": ({"id": account, "secret": secret}, {}),
        "POST /accounts/{id}/dids": (of_account, {"number": "12025550144"}),
        "POST /accounts/{id}/keys": (of_account, {"allowed_addresses": ["203.0.113.0/24"]}),
        "POST /accounts/{id}/records/{type}": ({"id": account, "type": "capacity_pools"}, {
            "attributes": {"name": "Standard", "total_channels_count": 30, "monthly_price": "15.0"}}),
        "POST /accounts/{id}/trunks/{trunk}/ip_only": (
            {"id": account, "trunk": made["data"]["id"]}, {"allowed_sip_ips": ["203.0.113.0/24"]}),
        "POST /clock/advance": ({}, {"seconds": 60}),
        "POST /clock/freeze": ({}, {}),
        "POST /clock/resume": ({}, None),
        "POST /customers": ({}, {"name": "An example"}),
        "POST /customers/{id}/accesskeys": (of_customer, {"name": "scripts"}),
        "POST /customers/{id}/agents": (of_customer, {"username": "ann", "password": "a long one"}),
        "POST /customers/{id}/numbers": (of_customer, {"number": "+12025550144"}),
        "POST /customers/{id}/tokens": (of_customer, {"type": "delegate"}),
        "POST /inbound_calls": ({}, {"from": "+442079460999", "to": "12025550143"}),
        "POST /explain": ({}, {"source": "198.51.100.9", "from": "12025550143", "to": "442079460018"}),
        "POST /faults": ({}, {"effect": "status", "status": 503, "path": "/v3/dids", "times": 1}),
        "POST /journal/verify": ({}, {"requests": [{"method": "GET", "path": "/v3/dids", "at_least": 0}]}),
        "POST /records/{type}": ({"type": "did_groups"}, {"attributes": group}),
        "POST /reset": ({}, {"account": to_reset}),
        "POST /token-keys/rotate": ({}, {"end_tokens": False}),
        "POST /world": ({}, {"format": 1, "accounts": [{"name": "Of a world"}]}),
    }


def of_voipbin(server):
    own = server.send("voipbin", "/customer")["id"]
    # A new customer has a config already.
    other = server.send("control", "/customers", {"name": "Without a config"})["id"]
    configs = server.send("voipbin", f"/outbound_configs?customer_id={other}")["result"]
    server.send("voipbin", f"/outbound_configs/{configs[0]['id']}", method="DELETE")
    server.send("voipbin", "/outbound_config", {"destination_whitelist": ["gb"]}, method="PUT")
    server.send("control", f"/customers/{own}/numbers", {"number": TELEPHONE["target"]})
    provider = {"type": "sip", "name": "For the examples", "hostname": "edge.localhost"}
    provider_id = server.send("voipbin", "/providers", provider)["id"]
    route = {"name": "All", "customer_id": own, "provider_id": provider_id, "target": "all", "priority": 1}
    server.send("voipbin", "/routes", route)
    flow = {"name": "Greeting", "actions": [{"type": "answer"}]}
    flow_id = server.send("voipbin", "/flows", flow)["id"]
    call = server.send("voipbin", "/providercalls", {"provider_id": provider_id, **CALL})["call_ids"][0]
    return {
        "POST /accesskeys": ({}, {"name": "An example", "expire": 86_400}),
        "POST /calls": ({}, CALL),
        "POST /calls/{id}/hangup": ({"id": call}, None),
        "POST /flows": ({}, flow),
        "POST /flows/{id}/direct-hash-regenerate": ({"id": flow_id}, None),
        "POST /outbound_configs": ({}, {"customer_id": other, "destination_whitelist": ["gb"]}),
        "POST /providercalls": ({}, {"provider_id": provider_id, **CALL}),
        "POST /providers": ({}, {**provider, "name": "An example"}),
        "POST /routes": ({}, {**route, "target": "+44"}),
    }
