"""Methods, paths, queries and headers that nobody should send: each has its answer, none a 500."""

import httpx
import pytest

from tests.journeys.world import Scene, assert_refused, footprint

LONG = 20_000

METHODS = {
    "/v1/points/issue": ("POST",),
    "/v1/points/holds/{hold}": ("GET",),
    "/v1/points/holds/{hold}/void": ("POST",),
    "/v1/postings/{posting}": ("GET",),
    "/v1/postings": ("GET",),
    "/v1/members": ("GET", "POST"),
    "/v1/members/{member}": ("GET",),
    "/v1/members/{member}/consents": ("GET", "POST"),
    "/oauth/token": ("OPTIONS", "POST"),
    "/health/ready": ("GET", "OPTIONS"),
    "/schema/openapi.json": ("GET", "OPTIONS"),
}
ALL_METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"),
    *("PROPFIND", "QUERY", "FOO", "G\x00T", "G" * LONG),
)
NOWHERE = {
    "a page that is none": "/nothing",
    "half an address": "/v1",
    "another half": "/v1/points",
    "another version": "/v2/points/issue",
    "capitals": "/V1/points/issue",
    "two slashes at the beginning": "//v1/postings",
    "a member who is no id": "/v1/members/abc",
    "up": "/v1/members/..",
    "up, encoded": "/v1/members/%2e%2e",
    "up, encoded twice": "/v1/members/%252e%252e",
    "up to another address": "/v1/members/%2e%2e/postings",
    "up by a slash, encoded": "/v1/members/..%2fpostings",
    "up by a backslash": "/v1/members/..%5cpostings",
    "up in overlong UTF-8": "/v1/members/%c0%ae%c0%ae/postings",
    "NUL": "/v1/members/%00",
    "NUL behind an id": "/v1/members/{member}%00",
    "a line break": "/v1/members/{member}%0d%0ax-evil:%201",
    "parameters of a segment": "/v1/members/{member};x=1",
    "invalid UTF-8": "/v1/members/%ff",
    "invalid UTF-8 at the root": "/%ff",
    "a long segment": "/v1/members/" + "a" * LONG,
    "many segments": "/a" * LONG,
    "a statement": "/v1/members/'%20OR%20true--",
    "a file": "/schema/../../../../etc/passwd",
    "a file, encoded": "/schema/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "a file, its slashes encoded": "/schema/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "a file beside the page's": "/schema/asyncapi-web-component.js",
    "a file of NUL": "/schema/%00",
    "a file with a long name": "/schema/" + "a" * LONG,
    "the files as a directory": "/static/api/%00",
    "another page": "/schema/redoc",
    "YAML": "/schema/openapi.yaml",
    "an asterisk": "*",
}
WRONG_QUERIES = {
    "unknown": ("/v1/postings?colour=red", "colour"),
    "in capitals": ("/v1/postings?LIMIT=5", "LIMIT"),
    "a limit of zero": ("/v1/postings?limit=0", "limit"),
    "a limit of 101": ("/v1/postings?limit=101", "limit"),
    "a negative limit": ("/v1/postings?limit=-1", "limit"),
    "a limit that is a float": ("/v1/postings?limit=5.0", "limit"),
    "a limit with an exponent": ("/v1/postings?limit=1e1", "limit"),
    "a limit with a zero before": ("/v1/postings?limit=05", "limit"),
    "a limit with a sign": ("/v1/postings?limit=%2B5", "limit"),
    "a limit with a blank": ("/v1/postings?limit=%205", "limit"),
    "a limit in another script": ("/v1/postings?limit=%D9%A5", "limit"),
    "a limit of 5,000 digits": ("/v1/postings?limit=" + "9" * 5000, "limit"),
    "an empty limit": ("/v1/postings?limit=", "limit"),
    "a cursor that is no id": ("/v1/postings?cursor=1", "cursor"),
    "a receipt of NUL": ("/v1/postings?receipt=%00", "receipt"),
    "an empty receipt": ("/v1/postings?receipt=", "receipt"),
    "a long receipt": ("/v1/postings?receipt=" + "r" * LONG, "receipt"),
    "a long card": ("/v1/members?card=" + "9" * LONG, "card"),
    "a name of a member": ("/v1/members?first_name=a", "first_name"),
}
CANNOT_BE_READ = {
    "given twice": "/v1/postings?limit=5&limit=6",
    "invalid UTF-8": "/v1/members?card=%ff",
    "a surrogate": "/v1/members?email=%ed%a0%80@b.example",
    "too many": "/v1/postings?" + "&".join(f"a{number}=1" for number in range(60)),
}
WRONG_CONTACTS = {
    "an empty card": ("card=", "card"),
    "NUL": ("card=%00%00%00%00", "card"),
    "NUL behind": ("card=97520001%00", "card"),
    "a pattern": ("card=9752%25", "card"),
    "a semicolon": ("card=97520001;email=a", "card"),
    "an e-mail that is none": ("email=x", "email"),
    "an e-mail with NUL": ("email=a%00@b.example", "email"),
    "a phone number that is none": ("phone=1", "phone"),
}
HOSTILE_HEADERS = {
    "commas that are accepted": ("accept", b"," * LONG),
    "much that is accepted": ("accept", b"a/b;q=0.1," * 2000),
    "a weight that is none": ("accept", b"application/vnd.msgpack;q=abc"),
    "a long weight": ("accept", b"application/vnd.msgpack;q=0." + b"9" * LONG),
    "a weight below zero": ("accept", b"application/json;q=-1"),
    "an answer that is not here": ("accept", b"application/xml"),
    "bytes that are no text": ("accept", b"\xff\xfe\x00msgpack"),
    "an id with a line break": ("x-request-id", b"a\r\nset-cookie: b=c"),
    "an id of NUL": ("x-request-id", b"\x00"),
    "a long id": ("x-request-id", b"a" * LONG),
    "an id that is no text": ("x-request-id", b"\xff"),
    "another method": ("x-http-method-override", b"DELETE"),
    "another host": ("host", b"evil.example"),
    "another address": ("x-original-url", b"/v1/admin"),
    "another client": ("x-forwarded-for", b"127.0.0.1"),
    "part of the answer": ("range", b"bytes=0-5"),
    "a condition": ("if-none-match", b"*"),
    "cookies": ("cookie", b"session=" + b"a" * LONG),
    "a coding": ("content-encoding", b"gzip"),
    "another page": ("origin", b"https://evil.example"),
    "a language": ("accept-language", b"\xff" * LONG),
}


@pytest.mark.parametrize(
    ("address", "method"),
    [
        pytest.param(address, method, id=f"{method[:10]!r} {address}")
        for address, allowed in METHODS.items()
        for method in ALL_METHODS
        if method not in allowed
    ],
)
async def test_an_address_says_which_methods_it_takes(
    standing: Scene, address: str, method: str
) -> None:
    allowed = METHODS[address]
    sending = standing.http.request(method, _named(standing, address), headers=_headers(standing))
    if method == "HEAD":
        answer = await sending
        assert (answer.status_code, answer.content) == (405, b"")
    else:
        answer = await assert_refused(sending, 405, "method_not_allowed")
        assert answer.json()["allowed"] == list(allowed)
    assert answer.headers["allow"] == ", ".join(allowed)


@pytest.mark.parametrize("address", NOWHERE.values(), ids=NOWHERE)
async def test_there_is_nothing_at_an_address_that_is_none(standing: Scene, address: str) -> None:
    for method in ("GET", "POST"):
        headers = _headers(standing) | {"idempotency-key": "nowhere"}
        named = _named(standing, address)
        sending = standing.http.request(method, named, headers=headers)
        await assert_refused(sending, 404, "not_found")


@pytest.mark.parametrize("address", ["/v1/postings", "/v1/members/{member}/balance"])
async def test_a_slash_too_many_changes_nothing(standing: Scene, address: str) -> None:
    named = _named(standing, address)
    plain = await standing.grocer.get(named)
    slashed = [
        await standing.grocer.get(named + "/"),
        await standing.grocer.get(f"/v1/{named[3:]}"),
    ]
    assert plain.status_code == 200
    assert [(answer.status_code, answer.json()) for answer in slashed] == [
        (200, plain.json()) for _ in slashed
    ]
    no_token = [await standing.http.get(named + "/"), await standing.http.get(f"/v1/{named[3:]}")]
    assert [answer.status_code for answer in no_token] == [401, 401]


@pytest.mark.parametrize(("address", "parameter"), WRONG_QUERIES.values(), ids=WRONG_QUERIES)
async def test_a_wrong_parameter_is_named(standing: Scene, address: str, parameter: str) -> None:
    await assert_refused(standing.grocer.get(address), 422, "invalid", parameter=parameter)


@pytest.mark.parametrize("address", CANNOT_BE_READ.values(), ids=CANNOT_BE_READ)
async def test_a_query_that_cannot_be_read_is_refused(standing: Scene, address: str) -> None:
    await assert_refused(standing.grocer.get(address), 400, "malformed")


@pytest.mark.parametrize(("query", "kind"), WRONG_CONTACTS.values(), ids=WRONG_CONTACTS)
async def test_a_contact_that_is_none_is_refused(standing: Scene, query: str, kind: str) -> None:
    sending = standing.grocer.get(f"/v1/members?{query}")
    await assert_refused(sending, 422, f"invalid_{kind}", parameter=kind)


@pytest.mark.parametrize("query", ["", "?", "?card=97520001&email=a@b.example"])
async def test_a_member_is_looked_up_by_one_contact(standing: Scene, query: str) -> None:
    await assert_refused(standing.grocer.get(f"/v1/members{query}"), 422, "one_contact_needed")


@pytest.mark.parametrize(
    "contact", ["card=99990000", "email=no@one.example", "phone=%2B46700000000"]
)
async def test_a_contact_of_nobody_finds_nobody(standing: Scene, contact: str) -> None:
    await assert_refused(standing.grocer.get(f"/v1/members?{contact}"), 404, "member_not_found")


@pytest.mark.parametrize(("name", "value"), HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS)
async def test_a_hostile_header_changes_nothing(standing: Scene, name: str, value: bytes) -> None:
    before = await footprint()
    address = f"/v1/members/{standing.member}/balance"
    headers = [(key.encode(), text.encode()) for key, text in _headers(standing).items()]
    answer = await standing.http.get(address, headers=[*headers, (name.encode(), value)])
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] in {"application/json", "application/vnd.msgpack"}
    assert "set-cookie" not in answer.headers
    assert len(answer.headers["x-request-id"]) <= 128
    assert answer.headers["x-request-id"].isascii()
    assert answer.headers["x-request-id"].isprintable()
    assert await footprint() == before


ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/v1/members/{member}/balance", 200),
        ("/v1/members/abc", 404),
        ("/v1/points/issue", 405),
        ("/health/live", 200),
        ("/metrics", 200),
        ("/schema", 200),
    ],
)
async def test_every_answer_says_how_browsers_shall_treat_it(
    standing: Scene, address: str, status: int
) -> None:
    answer = await standing.grocer.get(_named(standing, address))
    assert answer.status_code == status
    said = _said_once(answer)
    assert {name: said[name] for name in ALWAYS} == ALWAYS
    assert said["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in said["content-security-policy"]
    assert said["content-type"].count("charset") <= 1


def _said_once(answer: httpx.Response) -> dict[str, str]:
    names = [name for name, _ in answer.headers.multi_items()]
    assert len(names) == len(set(names)), "no header is given twice"
    return dict(answer.headers)


def _headers(standing: Scene) -> dict[str, str]:
    return standing.grocer.headers


def _named(standing: Scene, address: str) -> str:
    return address.format(member=standing.member, posting=standing.posting, hold=standing.hold)
