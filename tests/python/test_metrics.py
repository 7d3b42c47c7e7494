"""The metrics of the real binary, read by the strict parser of Prometheus' own Python library."""

import pytest
import requests
from didww.client import DidwwClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from conftest import new_trunk
from trunk_server import Server


# `server` sets the proxy exception for loopback.
@pytest.mark.usefixtures("server")
def test_the_text_is_openmetrics_and_has_the_requests_of_the_sdk(tmp_path):
    measured = Server(tmp_path / "log", "key", "--metrics-listen", "127.0.0.1:0")
    client = DidwwClient(api_key=measured.api_key, base_url=measured.base_url)
    try:
        trunks = client.voice_out_trunks()
        trunks.create(new_trunk('A "name" with all kinds of characters'))
        trunks.list()
        answer = requests.get(measured.metrics, timeout=30)
    finally:
        client._session.close()
        code = measured.stop()
    assert code == 0
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    requests_of_trunks = {
        (sample.labels["method"], sample.labels["status"]): sample.value
        for sample in families["trunk_server_http_requests"].samples
        if sample.labels["route"] == "/v3/voice_out_trunks"
    }
    assert requests_of_trunks == {("POST", "2xx"): 1, ("GET", "2xx"): 1}
    assert families["trunk_server_http_request_duration_seconds"].type == "histogram"
    assert families["trunk_server_build"].type == "info"
    assert families["trunk_server_store_writable"].samples[0].value == 1
