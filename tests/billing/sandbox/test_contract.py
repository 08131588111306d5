"""The contract: what it refuses, what it takes, and that each fault of the sandbox would show."""

import pytest

from billing.sandbox import asked, definitions, shown
from billing.sandbox.contract import Contract, ContractBroken, report
from billing.sandbox.documents import Document
from billing.sandbox.requests import decode_form

CONTRACT = Contract()
PRODUCT: Document = {
    "id": "prod_1",
    "object": "product",
    "active": True,
    "created": 1,
    "images": [],
    "livemode": False,
    "marketing_features": [{"name": "a"}],
    "metadata": {"a": "b"},
    "name": "Plus",
    "type": "service",
    "updated": 1,
    "default_price": "price_1",
}


@pytest.mark.parametrize(
    ("route", "form"),
    [
        ("/v1/customers", "email=a&metadata="),
        ("/v1/customers", "shipping=&invoice_settings[custom_fields]="),
        ("/v1/customers", "preferred_locales[0]=de&expand[]=subscriptions"),
        (
            "/v1/prices",
            "currency=eur&unit_amount_decimal=79.5&currency_options[chf][unit_amount]=1",
        ),
        (
            "/v1/subscriptions",
            "customer=c&items[0][price]=p&trial_end=now&cancel_at=max_period_end",
        ),
        ("/v1/subscriptions", "customer=c&items[0][price]=p&trial_end=1800000000"),
        ("/v1/payment_intents", "amount=1&currency=eur&off_session=recurring"),
        ("/v1/payment_intents", "amount=1&currency=eur&off_session=true"),
    ],
)
def test_what_stripe_takes_is_taken(route: str, form: str) -> None:
    assert CONTRACT.refusal_of("POST", route, decode_form(form)) is None


@pytest.mark.parametrize(
    ("route", "form", "param"),
    [
        ("/v1/customers", "adress[city]=x", "adress"),
        ("/v1/customers", "address[town]=x", "address[town]"),
        ("/v1/prices", "unit_amount=100", "currency"),
        ("/v1/prices", "currency=eur&recurring[interval]=decade", "recurring[interval]"),
        ("/v1/prices", "currency=eur&active=yes", "active"),
        ("/v1/subscriptions", "customer=c&items=p", "items"),
        ("/v1/subscriptions", "customer=c&items[0][prise]=p", "items[0][prise]"),
        ("/v1/subscriptions", "customer=c&payment_behavior=later", "payment_behavior"),
        ("/v1/subscriptions", "customer=c&trial_end=soon", "trial_end"),
        ("/v1/subscriptions", "customer=c&metadata[a][b]=c", "metadata[a]"),
        ("/v1/webhook_endpoints", "url=u&enabled_events[]=invoice.eaten", "enabled_events[0]"),
    ],
)
def test_what_stripe_refuses_is_refused_by_name(route: str, form: str, param: str) -> None:
    refusal = CONTRACT.refusal_of("POST", route, decode_form(form))
    assert refusal is not None
    assert refusal.param == param


def test_every_parameter_class_of_the_package_is_read() -> None:
    for method, shape in definitions.parameter_classes():
        expected = definitions.parameters(method, shape)
        assert expected is not None
        assert expected.fields.keys() >= expected.required


def test_every_object_of_the_package_is_read() -> None:
    kinds = definitions.kinds()
    assert {"subscription", "invoice", "checkout.session"} <= kinds.keys()
    assert all(definitions.object_type(kind) for kind in kinds)


def test_an_object_as_stripe_shows_it_is_taken_also_expanded() -> None:
    price = {
        "id": "price_1",
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": 1,
        "currency": "eur",
        "livemode": False,
        "metadata": {},
        "product": "prod_1",
        "type": "one_time",
        "unit_amount_decimal": "79.5",
    }
    assert list(shown.complaints_of(PRODUCT, "it")) == []
    assert list(shown.complaints_of(PRODUCT | {"default_price": price}, "it")) == []
    deleted = {"id": "prod_1", "object": "product", "deleted": True}
    assert list(shown.complaints_of({"object": "list", "data": [deleted]}, "it")) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"colour": "red"}, "it.colour is no field of Product"),
        ({"created": "1"}, "it.created is '1', not int"),
        ({"active": 1}, "it.active is 1, not bool"),
        ({"images": "x"}, "it.images is 'x', no list"),
        ({"metadata": {"a": 1}}, "it.metadata[a] is 1, not str"),
        ({"marketing_features": [{"label": "a"}]}, "label is no field of MarketingFeature"),
        ({"default_price": {"object": "price"}}, "it.default_price.active is not there"),
        ({"default_price": {"object": "prize"}}, "it.default_price is no object of Stripe's"),
    ],
)
def test_each_fault_of_an_object_is_named(change: Document, complaint: str) -> None:
    assert complaint in " ".join(shown.complaints_of(PRODUCT | change, "it"))


def test_a_field_that_is_always_there_is_missed() -> None:
    without = {name: value for name, value in PRODUCT.items() if name != "name"}
    assert list(shown.complaints_of(without, "it")) == ["it.name is not there"]


def test_a_broken_answer_or_event_is_no_exception_that_a_client_would_swallow() -> None:
    with pytest.raises(ContractBroken):
        CONTRACT.judge_answer("GET", "/v1/products/{}", {"object": "product"})
    with pytest.raises(ContractBroken, match="no event"):
        CONTRACT.judge_event({"type": "points.earned", "data": {"object": PRODUCT}})
    CONTRACT.judge_event({"type": "product.created", "data": {"object": PRODUCT}})
    assert not issubclass(ContractBroken, Exception)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("1.5", True), (2, True), ("x", False), (True, False), (None, False), ("inf", False)],
)
def test_numbers_are_told_from_other_values(value: object, *, is_one: bool) -> None:
    assert asked.is_number(value) is is_one


def test_the_report_names_each_route_once() -> None:
    told = report()
    assert "POST /v1/customers" in told["there"]
    assert "POST /v1/payouts" in told["lacking"]
    assert told["not in the package"] == ["POST /v1/events/{id}/retry"]
