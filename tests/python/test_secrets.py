"""Requests through the SDK leave no secret in the log, even at the most detailed level."""

import re

import pytest
from didww.client import DidwwClient
from didww.exceptions import DidwwApiError
from didww.resources.voice_out_trunk_regenerate_credential import VoiceOutTrunkRegenerateCredential

from conftest import credentials, new_trunk
from trunk_server import Server


# `server` sets the proxy exception for loopback.
@pytest.mark.usefixtures("server")
def test_a_log_of_everything_holds_no_key_and_no_credentials(tmp_path):
    talkative = Server(tmp_path / "log", "key-of-the-account", "--log", "trace")
    client = DidwwClient(api_key=talkative.api_key, base_url=talkative.base_url)
    trunks = client.voice_out_trunks()
    secrets = {talkative.api_key, "key-of-a-stranger", "password-of-mine"}
    try:
        created = trunks.create(new_trunk("Main")).data
        secrets |= {created.authentication_method.username, created.authentication_method.password}
        rotation = VoiceOutTrunkRegenerateCredential()
        rotation.voice_out_trunk = created
        client.voice_out_trunk_regenerate_credentials().create(rotation)
        method = trunks.list().data[0].authentication_method
        secrets |= {method.username, method.password}
        created.authentication_method = credentials("203.0.113.9", password="password-of-mine")
        trunks.update(created)
        created.authentication_method = credentials("nonsense", password="password-of-mine")
        with pytest.raises(DidwwApiError):
            trunks.update(created)
        client.api_key = "key-of-a-stranger"
        with pytest.raises(DidwwApiError):
            trunks.list()
    finally:
        client._session.close()
        code = talkative.stop()
    log = talkative.log.read_text()
    assert code == 0
    assert re.search("TRACE|DEBUG", log), "the log has the configured level"
    assert [secret for secret in secrets if secret in log] == []
