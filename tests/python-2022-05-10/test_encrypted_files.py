"""`upload_encrypted_files()`: several files in one request, and their ids in the answer."""

import pytest
from didww.encrypt import Encrypt
from didww.exceptions import DidwwApiError


@pytest.fixture
def encrypted(client):
    keys = [one.key for one in client.public_keys().list().data]
    return Encrypt.calculate_fingerprint(keys), Encrypt.encrypt_with_keys(b"a passport", keys)


def test_several_files_are_uploaded_at_once(client, encrypted):
    fingerprint, data = encrypted
    files = [{"data": data, "description": "front.pdf"}, {"data": data, "description": "back.pdf"}]
    ids = client.upload_encrypted_files(fingerprint=fingerprint, files=files)
    descriptions = [client.encrypted_files().find(id).data.description for id in ids]
    assert descriptions == ["front.pdf", "back.pdf"]


def test_files_for_other_keys_are_refused(client, encrypted):
    _, data = encrypted
    with pytest.raises(DidwwApiError) as caught:
        client.upload_encrypted_files(fingerprint=":::".join(["0" * 40] * 2), files=[{"data": data}])
    assert caught.value.status_code == 422
