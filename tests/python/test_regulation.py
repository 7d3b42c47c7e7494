"""`identities()`, `addresses()`, `encrypted_files()`, `public_keys()`: who uses numbers, and their papers."""

import pytest
from didww.encrypt import Encrypt
from didww.enums import IdentityType
from didww.exceptions import DidwwApiError
from didww.query_params import QueryParams
from didww.resources.address import Address
from didww.resources.country import Country
from didww.resources.identity import Identity


@pytest.fixture
def country(client):
    [one] = client.countries().list(QueryParams().filter("iso", "US")).data
    return one


def person(country, **attributes):
    identity = Identity()
    identity.identity_type = IdentityType.PERSONAL
    identity.first_name = "Ada"
    identity.last_name = "Byron"
    identity.phone_number = "12025550101"
    identity.id_number = "ABC1234"
    identity.birth_date = "1970-01-01"
    identity.personal_tax_id = "987654321"
    identity.country = Country.build(country.id)
    for name, value in attributes.items():
        setattr(identity, name, value)
    return identity


def business(country, **attributes):
    identity = Identity()
    identity.identity_type = IdentityType.BUSINESS
    identity.first_name = "Ada"
    identity.last_name = "Byron"
    identity.phone_number = "12025550101"
    identity.company_name = "Engines"
    identity.company_reg_number = "77"
    identity.vat_id = "US77"
    identity.country = Country.build(country.id)
    for name, value in attributes.items():
        setattr(identity, name, value)
    return identity


def home(country, identity, **attributes):
    address = Address()
    address.city_name = "New York"
    address.postal_code = "10001"
    address.address = "1 Main Street"
    address.description = "Home"
    address.country = Country.build(country.id)
    address.identity = Identity.build(identity.id)
    for name, value in attributes.items():
        setattr(address, name, value)
    return address


@pytest.fixture
def identity(client, country):
    return client.identities().create(person(country)).data


def test_a_person_is_registered_read_changed_and_deleted(client, identity):
    read = client.identities().find(identity.id, QueryParams().include("country")).data
    assert (read.first_name, read.last_name, read.country.iso) == ("Ada", "Byron", "US")
    assert read.identity_type == IdentityType.PERSONAL and read.verified is False
    read.description = "A customer"
    assert client.identities().update(read).data.description == "A customer"
    client.identities().delete(identity.id)
    with pytest.raises(DidwwApiError) as caught:
        client.identities().find(identity.id)
    assert caught.value.status_code == 404


def test_a_business_has_its_own_attributes(client, country):
    made = client.identities().create(business(country)).data
    assert (made.identity_type, made.company_name) == (IdentityType.BUSINESS, "Engines")


@pytest.mark.parametrize("attribute", ["first_name", "last_name", "phone_number"])
def test_a_person_without_a_required_attribute_is_refused(client, country, attribute, refusal):
    error = refusal(client.identities().create, person(country, **{attribute: None}))
    assert error.status_code == 422
    assert f"/data/attributes/{attribute}" in [one["source"]["pointer"] for one in error.errors]


def test_a_business_without_a_country_is_refused(client, country, refusal):
    identity = business(country)
    identity.raw_object.relationships = type(identity.raw_object.relationships)({})
    assert refusal(client.identities().create, identity).status_code == 422


def test_identities_are_found_by_what_they_are(client, country, identity):
    other = client.identities().create(business(country)).data
    for kind, expected in (("personal", identity), ("business", other)):
        found = client.identities().list(QueryParams().filter("identity_type", kind)).data
        assert [one.id for one in found] == [expected.id]


def test_an_identity_has_its_addresses(client, country, identity):
    made = client.addresses().create(home(country, identity)).data
    read = client.identities().find(identity.id, QueryParams().include("addresses")).data
    assert [one.id for one in read.addresses] == [made.id]


def test_an_address_is_read_with_its_neighbours(client, country, identity):
    made = client.addresses().create(home(country, identity)).data
    read = client.addresses().find(made.id, QueryParams().include("country", "identity")).data
    assert (read.city_name, read.postal_code, read.address) == ("New York", "10001", "1 Main Street")
    assert (read.country.id, read.identity.id) == (country.id, identity.id)


@pytest.mark.parametrize("attribute", ["city_name", "postal_code", "address"])
def test_an_address_without_a_required_attribute_is_refused(client, country, identity, attribute, refusal):
    error = refusal(client.addresses().create, home(country, identity, **{attribute: None}))
    assert error.status_code == 422
    assert f"/data/attributes/{attribute}" in [one["source"]["pointer"] for one in error.errors]


def test_an_address_is_changed_and_deleted(client, country, identity):
    made = client.addresses().create(home(country, identity)).data
    made.description = "Office"
    assert client.addresses().update(made).data.description == "Office"
    client.addresses().delete(made.id)
    assert client.addresses().list().data == []


def test_an_address_of_an_unknown_identity_is_refused(client, country, refusal):
    stranger = Identity.build("7ee7aebd-9a6b-4ab2-8a1f-1b1f2d7a6d9c")
    assert refusal(client.addresses().create, home(country, stranger)).status_code == 422


def test_there_are_two_public_keys_that_can_encrypt(client):
    keys = [one.key for one in client.public_keys().list().data]
    assert len(keys) == 2
    first, separator, second = Encrypt.calculate_fingerprint(keys).partition(":::")
    assert separator and len(first) == len(second) == 40


@pytest.fixture
def encrypted(client):
    keys = [one.key for one in client.public_keys().list().data]
    data = Encrypt.encrypt_with_keys(b"a passport", keys)
    return Encrypt.calculate_fingerprint(keys), data


def test_a_file_that_the_sdk_encrypted_is_uploaded_and_found(client, encrypted):
    id = client.upload_encrypted_file(*encrypted, description="passport.pdf")
    read = client.encrypted_files().find(id).data
    assert read.description == "passport.pdf"
    assert read.expires_at is None or read.expires_at.tzinfo is not None
    assert id in [one.id for one in client.encrypted_files().list().data]


def test_a_file_is_deleted(client, encrypted):
    id = client.upload_encrypted_file(*encrypted)
    client.encrypted_files().delete(id)
    with pytest.raises(DidwwApiError):
        client.encrypted_files().find(id)


def test_a_file_for_other_keys_is_refused(client, encrypted):
    _, data = encrypted
    with pytest.raises(DidwwApiError) as caught:
        client.upload_encrypted_file(":::".join(["0" * 40] * 2), data)
    assert caught.value.status_code == 422
