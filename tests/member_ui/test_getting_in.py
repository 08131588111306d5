"""Joining, signing in and out: cookies, sessions, and where one is led on to."""

from tests.member_ui.world import FROM_US, Town, hidden

ASTRAY = (
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/wallet",
    "/wallet@evil.example",
    "/wallet/../../sandbox/time-machine",
    "/walletx",
    "/sign-out",
    "/wallet?a=\r\nset-cookie: session=theirs",
    "/wallet\r\nset-cookie: session=theirs",
    "/order?price=1#@evil",
    "javascript:alert(1)",
    "/order?" + "a" * 1000,
)


async def test_nobody_is_led_to_another_place_than_a_page_of_members(town: Town) -> None:
    joined = await town.person().join(next=ASTRAY[0])
    assert joined.headers["location"] == "/wallet"
    member = await town.member()
    for wanted in ASTRAY:
        shown = await member.http.get("/sign-in", params={"next": wanted})
        assert shown.headers["location"] == "/wallet", wanted
    for wanted in ASTRAY[-4:]:
        answer = await member.sign_in(next=wanted)
        assert (answer.status_code, answer.headers["location"]) == (303, "/wallet"), wanted
        assert answer.headers["set-cookie"].count("=theirs") == 0


async def test_who_chose_a_plan_comes_back_to_it_after_joining(town: Town) -> None:
    stranger = town.person()
    asked = await stranger.get("/order?price=2")
    assert asked.headers["location"] == "/sign-in?next=/order%3Fprice%3D2"
    page = await stranger.get(asked.headers["location"])
    assert 'href="/join?next=/order%3Fprice%3D2"' in page.text
    joining = await stranger.get("/join?next=/order%3Fprice%3D2")
    assert 'name="next" value="/order?price=2"' in joining.text
    joined = await stranger.join(next="/order?price=2")
    assert joined.headers["location"] == "/order?price=2"


async def test_the_cookie_is_bound_to_this_host_and_out_of_reach(town: Town) -> None:
    joined = await town.person().join()
    cookie = joined.headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert "Max-Age" not in cookie, "it ends with the browser"


async def test_a_word_put_into_a_browser_beforehand_opens_nothing(town: Town) -> None:
    member = await town.member()
    planted = town.person()
    planted.email = member.email
    planted.http.cookies.set("__Host-session", "a-word-that-an-attacker-knows")
    await planted.sign_in()
    attacker = town.person()
    attacker.http.cookies.set("__Host-session", "a-word-that-an-attacker-knows")
    assert (await attacker.get("/wallet")).headers["location"].startswith("/sign-in")


async def test_signing_in_again_ends_the_session_before_it(town: Town) -> None:
    member = await town.member()
    before = member.http.cookies["__Host-session"]
    await member.sign_in()
    assert member.http.cookies["__Host-session"] != before
    with_old = town.person()
    with_old.http.cookies.set("__Host-session", before)
    assert (await with_old.get("/wallet")).status_code == 303


async def test_after_signing_out_neither_page_nor_form_is_to_be_had(town: Town) -> None:
    member = await town.member()
    word = member.http.cookies["__Host-session"]
    page = await member.get("/wallet")
    assert page.headers["cache-control"] == "no-store"
    fields = hidden(page.text, "/sign-out")
    assert (await member.post("/sign-out", FROM_US, **fields)).headers["location"] == "/"
    member.http.cookies.set("__Host-session", word)
    for path in ("/wallet", "/membership", "/gifts", "/order?price=1"):
        answer = await member.get(path)
        assert answer.headers["location"].startswith("/sign-in?next="), path
    again = await member.post("/membership/card", FROM_US, **fields)
    assert again.headers["location"].startswith("/sign-in"), "its form is worth nothing either"


async def test_a_wrong_password_tells_nothing_of_the_address(town: Town) -> None:
    member, nobody = await town.member(), town.person()
    pages = [await one.sign_in(password="another password") for one in (member, nobody)]
    said = [
        page.text.replace(one.email, "it").replace(member.http.cookies["__Host-session"], "")
        for one, page in zip((member, nobody), pages, strict=True)
    ]
    assert [page.status_code for page in pages] == [401, 401]
    for one in said:
        assert "do not belong together" in one
        assert "Tries" not in one


async def test_many_tries_wait_and_are_counted_where_the_operator_looks(town: Town) -> None:
    member = await town.member()
    guesses = [await member.sign_in(password=f"guess number {n} of many") for n in range(7)]
    assert guesses[-1].status_code == 429
    assert "Too many attempts" in guesses[-1].text
    await town.person().join(email=member.email)
    counted = (await member.http.get("/metrics")).text
    for route, status in (("/sign-in", 401), ("/sign-in", 429), ("/join", 409)):
        labels = f'method="POST",route="{route}",status="{status}"'
        assert f"coalition_http_request_seconds_count{{{labels}}}" in counted


async def test_what_will_not_do_as_a_member_is_said_and_the_rest_stays_filled_in(
    town: Town,
) -> None:
    for fields, said in (
        ({"password": "short"}, "another password"),
        ({"email": "no address"}, "no e-mail address"),
        ({"first_name": "x" * 101}, "at most 100"),
        ({"last_name": "4242 4242 4242 4242"}, "card"),
        ({"first_name": "a\r\nb"}, "cannot be seen"),
    ):
        answer = await town.person().join(**({"first_name": "Åsa"} | fields))
        assert answer.status_code == 422, fields
        assert said in answer.text, fields
        assert "<title>This did not work: " in answer.text
        assert 'type="password" required minlength="12"' in answer.text
        if "first_name" not in fields:
            assert 'value="Åsa"' in answer.text
