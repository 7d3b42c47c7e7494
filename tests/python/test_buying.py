"""`available_dids()`, `did_reservations()`, `orders()`: finding, reserving and buying numbers."""

from datetime import datetime, timedelta, timezone

import pytest
from didww.enums import OrderStatus
from didww.exceptions import DidwwApiError
from didww.query_params import QueryParams
from didww.resources.available_did import AvailableDid
from didww.resources.did_reservation import DidReservation
from didww.resources.order import Order
from didww.resources.order_item.available_did_order_item import AvailableDidOrderItem
from didww.resources.order_item.capacity_order_item import CapacityOrderItem
from didww.resources.order_item.did_order_item import DidOrderItem
from didww.resources.order_item.reservation_did_order_item import ReservationDidOrderItem


@pytest.fixture
def money(account):
    account.control.send("POST", f"accounts/{account.id}/records/balances", attributes={"balance": "1000.0"})


@pytest.fixture
def offer(client):
    """A number in stock, with what it costs."""
    return client.available_dids().list(QueryParams().include("did_group.stock_keeping_units")).data[0]


def unit(offer):
    return offer.did_group.stock_keeping_units[0]


def reserve(client, offer, description="For the office"):
    reservation = DidReservation()
    reservation.description = description
    reservation.available_did = AvailableDid.build(offer.id)
    return client.did_reservations().create(reservation).data


def order(*items, **attributes):
    one = Order()
    one.items = list(items)
    for name, value in attributes.items():
        setattr(one, name, value)
    return one


def chosen(offer):
    item = AvailableDidOrderItem()
    item.sku_id = unit(offer).id
    item.available_did_id = offer.id
    return item


def any_of(offer, qty=1):
    item = DidOrderItem()
    item.sku_id = unit(offer).id
    item.qty = qty
    return item


def complete(account, made):
    account.control.send("POST", f"accounts/{account.id}/orders/{made.id}/complete")


def balance(client):
    return float(client.balance().find().data.balance)


def test_a_number_in_stock_is_digits_and_belongs_to_a_group(offer):
    assert offer.number.isdigit()
    assert offer.did_group.prefix in offer.number


def test_numbers_are_found_by_their_country(client):
    [country] = client.countries().list(QueryParams().filter("iso", "US")).data
    found = client.available_dids().list(QueryParams().filter("country.id", country.id).page(size=5)).data
    assert found and all(one.number.startswith("1") for one in found)


def test_numbers_are_found_by_digits_that_they_contain(client, offer):
    digits = offer.number[-4:]
    found = client.available_dids().list(QueryParams().filter("number_contains", digits)).data
    assert found and all(digits in one.number for one in found)


def test_a_reservation_takes_its_number_out_of_stock_until_it_is_deleted(client, offer):
    made = reserve(client, offer)
    assert made.description == "For the office"
    assert timedelta(0) < made.expires_at - made.created_at <= timedelta(days=1)
    reserved = client.did_reservations().find(made.id, QueryParams().include("available_did")).data
    assert reserved.available_did.number == offer.number
    client.did_reservations().delete(made.id)
    with pytest.raises(DidwwApiError):
        client.did_reservations().find(made.id)


def test_a_number_is_reserved_once(client, offer, refusal):
    reserve(client, offer)
    assert refusal(reserve, client, offer).status_code == 422


def test_the_reservations_of_an_account_are_listed(client, offer):
    made = reserve(client, offer, "One")
    assert [one.id for one in client.did_reservations().list().data] == [made.id]
    found = client.did_reservations().list(QueryParams().filter("description", "One")).data
    assert [one.id for one in found] == [made.id]


def test_an_order_is_paid_at_once_and_carried_out_later(client, account, money, offer):
    before = balance(client)
    made = client.orders().create(order(chosen(offer))).data
    assert made.is_pending and float(made.amount) > 0
    assert balance(client) == pytest.approx(before - float(made.amount))
    complete(account, made)
    read = client.orders().find(made.id).data
    assert read.is_completed and read.reference
    [number] = client.dids().list(QueryParams().filter("order.id", made.id)).data
    assert number.number == offer.number


def test_an_order_of_several_numbers_brings_as_many(client, account, money, offer):
    made = client.orders().create(order(any_of(offer, 3))).data
    complete(account, made)
    [item] = client.orders().find(made.id).data.items
    assert (item.qty, float(item.mrc)) == (3, pytest.approx(float(unit(offer).monthly_price)))
    numbers = client.dids().list(QueryParams().filter("order.reference", made.reference)).data
    assert len({one.number for one in numbers}) == 3


def test_a_reservation_is_ordered(client, account, money, offer):
    reservation = reserve(client, offer)
    item = ReservationDidOrderItem()
    item.sku_id = unit(offer).id
    item.did_reservation_id = reservation.id
    made = client.orders().create(order(item)).data
    complete(account, made)
    [number] = client.dids().list().data
    assert number.number == offer.number


def test_an_order_that_is_canceled_is_paid_back(client, account, money, offer):
    before = balance(client)
    made = client.orders().create(order(chosen(offer))).data
    account.control.send("POST", f"accounts/{account.id}/orders/{made.id}/cancel")
    assert client.orders().find(made.id).data.is_canceled
    assert balance(client) == before
    assert client.dids().list().data == []


def test_an_order_without_money_is_refused(client, offer, refusal):
    error = refusal(client.orders().create, order(chosen(offer)))
    assert (error.status_code, error.errors[0]["detail"]) == (400, "Insufficient balance")
    assert client.orders().list().data == []


def test_an_unknown_unit_is_refused(client, money, offer, refusal):
    item = DidOrderItem()
    item.sku_id = "7ee7aebd-9a6b-4ab2-8a1f-1b1f2d7a6d9c"
    item.qty = 1
    assert refusal(client.orders().create, order(item)).status_code == 422


def test_an_order_without_items_is_refused(client, money, refusal):
    assert refusal(client.orders().create, order()).status_code == 422


def test_an_order_keeps_the_reference_of_its_program(client, money, offer):
    made = client.orders().create(order(chosen(offer), external_reference_id="shop-7")).data
    assert made.external_reference_id == "shop-7"
    found = client.orders().list(QueryParams().filter("external_reference_id", "shop-7")).data
    assert [one.id for one in found] == [made.id]


@pytest.mark.parametrize("status", ["pending", "completed", "canceled"])
def test_orders_are_found_by_their_status(client, account, money, offer, status):
    made = client.orders().create(order(any_of(offer))).data
    if status == "completed":
        complete(account, made)
    if status == "canceled":
        account.control.send("POST", f"accounts/{account.id}/orders/{made.id}/cancel")
    found = client.orders().list(QueryParams().filter("status", status)).data
    assert [one.id for one in found] == [made.id]
    assert found[0].status == OrderStatus(status)


def test_channels_are_ordered_for_a_pool(client, account, money):
    attributes = {"name": "Extended", "total_channels_count": 30, "minimum_qty_per_order": 2, "monthly_price": "15.0"}
    account.control.send("POST", f"accounts/{account.id}/records/capacity_pools", attributes=attributes)
    [pool] = client.capacity_pools().list().data
    item = CapacityOrderItem()
    item.capacity_pool_id = pool.id
    item.qty = 2
    made = client.orders().create(order(item)).data
    complete(account, made)
    read = client.capacity_pools().find(pool.id).data
    assert read.total_channels_count == pool.total_channels_count + item.qty


def test_an_order_that_its_program_deletes_is_canceled(client, account, money, offer):
    made = client.orders().create(order(chosen(offer))).data
    client.orders().delete(made.id)
    assert client.orders().find(made.id).data.is_canceled


def test_times_of_orders_are_those_of_the_clock(client, money, offer):
    made = client.orders().create(order(chosen(offer))).data
    assert abs(datetime.now(timezone.utc) - made.created_at) < timedelta(minutes=5)
