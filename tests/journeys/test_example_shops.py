"""Both example shops, driven over HTTP by the same scripts, with a real mail server."""

import asyncio
import re
import shlex
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self

import attrs
import httpx
import pyotp
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import select
from werkzeug.serving import make_server

from demo.postbox import Letter, Postbox
from fastapi_shop.app import create_app as create_fastapi_shop
from flask_shop.app import create_app as create_flask_shop
from flask_shop.wiring import open_shop as open_flask_shop
from shop_common import Settings
from shopaccounts import ShopAccounts
from shopaccounts.adapters.bells import ThreadBell
from shopaccounts.adapters.crypto import new_root
from shopaccounts.adapters.mail import MailServer, Tls
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.customers import CUSTOMERS, Customer
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.time import FixedClock
from shopaccounts.signin import SecondFactorMode, SecondFactorPolicy
from shopaccounts.testing.authenticator import SoftwareAuthenticator
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.doubles import StaffRoom

ANN = "ann@winter.example"
FIRST = "four lamps and a moth in winter"
SECOND = "eleven candles under the stairs"
THIRD = "a lighthouse asleep behind the hill"
NEW = "ann@spring.example"
UNUSED_TLS = ssl.create_default_context()
"""Made once: a browser that makes its own takes longer than most pages."""
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


class Page(HTMLParser):
    """What a person can see of a page, and what a screen reader can tell of it."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response, self.status, self.text = response, response.status_code, response.text
        self.language, self.headings, self._in_title = "", 0, False
        self.inputs: list[dict[str, str]] = []
        self.forms: list[dict[str, str]] = []
        self.titles: list[str] = []
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.described: set[str] = set()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.described |= set(given.get("aria-describedby", "").split())
        match tag:
            case "html":
                self.language = given.get("lang", "")
            case "title":
                self._in_title = True
            case "h1":
                self.headings += 1
            case "form":
                self.forms.append(given)
            case "label":
                self.labels.add(given.get("for", ""))
            case "input":
                self.inputs.append(given)

    def handle_endtag(self, tag: str) -> None:
        self._in_title = self._in_title and tag != "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.titles.append(data)

    def check(self) -> Self:
        """See that the page can be used by everybody."""
        assert self.language == "en"
        assert "".join(self.titles).strip().endswith("– Lampenhaus")
        assert self.headings == 1
        assert len(set(self.ids)) == len(self.ids)
        assert self.described <= set(self.ids)
        shown = [field for field in self.inputs if field["type"] != "hidden"]
        assert {field["id"] for field in shown} <= self.labels
        return self

    def field(self, name: str) -> dict[str, str]:
        return next(field for field in self.inputs if field["name"] == name)

    def form(self, kind: str) -> dict[str, str]:
        """The form that asks the browser for a passkey."""
        return next(form for form in self.forms if form.get("data-passkey") == kind)


class Browser:
    """Somebody's browser: it keeps cookies, and tells where a form was."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, headers={"User-Agent": name}, verify=UNUSED_TLS, timeout=60)

    def close(self) -> None:
        self._client.close()

    def opens(self, path: str) -> Page:
        return Page(self._client.get(path, follow_redirects=True)).check()

    def sends(self, path: str, origin: str | None = None, site: str | None = None, **fields: str) -> Page:
        """Press a button; the page is the one that the browser ends up on."""
        headers = {"Origin": origin or self.url} | ({"Sec-Fetch-Site": site} if site else {})
        return Page(self._client.post(path, data=fields, headers=headers, follow_redirects=True)).check()

    def presses(self, link: str, **fields: str) -> Page:
        """Open the link of a mail, and press the button on its page; opening it alone changes nothing."""
        assert self.opens(link).status == httpx.codes.OK
        return self.sends(link.partition("?")[0], token=token_of(link), **fields)

    @property
    def cookies(self) -> set[str]:
        return {cookie.name for cookie in self._client.cookies.jar}

    @property
    def is_signed_in(self) -> bool:
        return self._client.get("/account").status_code == httpx.codes.OK


@attrs.frozen
class Running:
    """A shop that serves, its clock and its mail."""

    url: str
    clock: FixedClock
    postbox: Postbox
    browsers: list[Browser]
    settings: Settings

    def browser(self, name: str = "Laptop") -> Browser:
        self.browsers.append(Browser(self.url, name))
        return self.browsers[-1]

    def customer(self, browser: Browser, email: str = ANN, password: str = FIRST) -> Letter:
        """Open an account, by the code from the mail."""
        browser.sends("/sign-up", email=email, password=password)
        letter = self.postbox.next()
        assert browser.sends("/sign-up/code", code=letter.code).response.url.path == "/account"
        return letter


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with Postbox() as postbox:
        yield postbox


@pytest.fixture(params=["flask", "fastapi"])
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Running]:
    monkeypatch.setattr("shop_common.settings.Policies", quick_policies)  # hashing at full cost is half of the time
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://localhost:{listening.getsockname()[1]}"
        server = MailServer(host="127.0.0.1", port=postbox.port, tls=Tls.NONE)
        settings, clock = (
            Settings(url=url, folder=tmp_path, mail_server=server),
            FixedClock(datetime(2031, 3, 3, tzinfo=UTC)),
        )
        serve = {"flask": serve_flask, "fastapi": serve_fastapi}[request.param]
        with serve(settings, clock, listening):
            running = Running(url, clock, postbox, [], settings)
            yield running
            for browser in running.browsers:
                browser.close()
    unexpected = None if postbox.is_empty else postbox.next().subject
    assert unexpected is None, "a mail came that nobody expected"


def serve_flask(settings: Settings, clock: FixedClock, listening: socket.socket) -> "Serving":
    app = create_flask_shop(settings, clock)
    server = make_server("127.0.0.1", 0, app, threaded=True, fd=listening.fileno())
    shop = app.extensions["shopaccounts"]

    def stop() -> None:
        server.shutdown()
        shop.adapters.bell.close(10)
        shop.adapters.storage.close()

    return Serving(lambda: server.serve_forever(poll_interval=0.02), stop)


def serve_fastapi(settings: Settings, clock: FixedClock, listening: socket.socket) -> "Serving":
    server = uvicorn.Server(uvicorn.Config(create_fastapi_shop(settings, clock), log_level="warning"))
    return Serving(lambda: server.run(sockets=[listening]), lambda: setattr(server, "should_exit", True))


class Serving:
    """A server in a thread of its own; a context manager."""

    def __init__(self, serve: Any, stop: Any) -> None:
        self._thread, self._stop = threading.Thread(target=serve), stop

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_a_customer_comes_goes_loses_the_password_and_comes_back(shop: Running) -> None:
    laptop, phone = shop.browser("Laptop"), shop.browser("Phone")
    assert "Reading lamp" in laptop.opens("/").text
    asked = laptop.sends("/sign-up", email=ANN, password=FIRST)
    assert asked.response.url.path == "/sign-up/code"
    letter = shop.postbox.next()
    assert letter.to == ANN
    assert "Tries left: 4" in laptop.sends("/sign-up/code", code=other(letter.code)).text
    assert laptop.sends("/sign-up/code", code=letter.code).response.url.path == "/account"

    assert "You are signed out." in laptop.sends("/sign-out").text
    assert laptop.cookies == {"device"}, "the shop knows the browser, and nobody is signed in with it"
    wrong = laptop.sends("/sign-in", email=ANN, password=SECOND)
    assert wrong.status == httpx.codes.UNAUTHORIZED
    assert wrong.field("email")["value"] == ANN
    assert wrong.field("password")["value"] == ""
    assert laptop.sends("/sign-in", email=ANN, password=FIRST).response.url.path == "/account"

    shop.clock.advance(timedelta(minutes=1))
    phone.sends("/sign-in", email=ANN, password=FIRST)
    assert "new device" in shop.postbox.next().subject
    listed = laptop.opens("/account/sessions").text
    assert "Phone" in listed
    assert "This browser" in listed
    [of_phone] = set(re.findall(r"/account/sessions/([\w-]{20,})/end", listed))
    assert "That device is signed out." in laptop.sends(f"/account/sessions/{of_phone}/end").text
    assert not phone.is_signed_in
    assert laptop.is_signed_in

    phone.sends("/sign-in", email=ANN, password=FIRST)
    shop.clock.advance(timedelta(minutes=1))
    assert phone.sends("/lost-password", email=ANN).response.url.path == "/lost-password/sent"
    link = shop.postbox.next().link
    scanner = shop.browser("Scanner")
    for _ in range(3):
        assert "a***@winter.example" in scanner.opens(link).text
    assert laptop.is_signed_in
    too_short = phone.sends("/new-password", token=token_of(link), password="short")
    assert too_short.status == httpx.codes.UNPROCESSABLE_ENTITY
    assert "Use at least 15 characters" in too_short.text
    assert too_short.field("password")["aria-invalid"] == "true"
    assert "Your new password holds" in phone.sends("/new-password", token=token_of(link), password=SECOND).text
    assert "new password" in shop.postbox.next().subject
    assert not laptop.is_signed_in
    assert not phone.is_signed_in
    assert laptop.sends("/sign-in", email=ANN, password=FIRST).status == httpx.codes.UNAUTHORIZED
    assert laptop.sends("/sign-in", email=ANN, password=SECOND).response.url.path == "/account"
    assert scanner.opens(link).status == httpx.codes.GONE


def test_a_customer_changes_the_password_and_objects_to_a_stranger_who_knows_it(shop: Running) -> None:
    laptop, phone, stranger = shop.browser("Laptop"), shop.browser("Phone"), shop.browser("Stranger")
    shop.customer(laptop)
    phone.sends("/sign-in", email=ANN, password=FIRST)
    assert shop.postbox.next().subject == "Sign-in from a new device"

    wrong = laptop.sends("/account/password", current=SECOND, password=SECOND)
    assert wrong.field("current")["aria-invalid"] == "true"
    weak = laptop.sends("/account/password", current=FIRST, password="lampenhaus")
    assert "Use at least 15 characters." in weak.text
    assert "Leave out the name of the shop." in weak.text
    changed = laptop.sends("/account/password", current=FIRST, password=SECOND)
    assert "Your new password holds." in changed.text
    assert shop.postbox.next().subject == "Your password was changed"
    assert laptop.is_signed_in
    assert not phone.is_signed_in

    shop.clock.advance(timedelta(minutes=2))
    stranger.sends("/sign-in", email=ANN, password=SECOND)
    notice = shop.postbox.next()
    assert "Device: Stranger" in notice.text
    phone.opens(notice.link_to("/account/freeze-account"))
    objected = phone.presses(notice.link_to("/account/not-me-sign-in"))
    assert "A link for a new password is in your mailbox." in objected.text
    assert not stranger.is_signed_in
    assert not laptop.is_signed_in
    assert {shop.postbox.next().subject for _ in range(2)} == {
        "We have protected your account",
        "Choose a new password",
    }
    shop.clock.advance(timedelta(minutes=2))
    held = stranger.sends("/sign-in", email=ANN, password=SECOND)
    assert held.status == httpx.codes.FORBIDDEN
    assert "choose a new password first" in held.text

    reset = shop.postbox.next()
    phone.sends("/new-password", token=token_of(reset.link_to("/new-password")), password=THIRD)
    assert shop.postbox.next().subject == "You have a new password"
    assert phone.sends("/sign-in", email=ANN, password=THIRD).response.url.path == "/account"
    told = re.findall(r"<td>([A-Z][a-z ]+)</td>", phone.opens("/account/history").text)
    assert told[:2] == ["Signed in", "A new password was chosen by a link"]
    assert told.index("You told us that somebody else was in") < told.index("The password was changed")
    table = phone._client.get("/account/history.csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    assert table.text.splitlines()[0] == "at,what,by,agent,facts"


def test_the_history_goes_on_over_pages(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    for _ in range(20):
        laptop._client.post("/account/sessions/end-others", headers={"Origin": shop.url})
    newest = laptop.opens("/account/history")
    assert "The account was opened" not in newest.text
    [earlier] = re.findall(r"/account/history\?after=[\w-]+", newest.text)
    assert "The account was opened" in laptop.opens(earlier).text
    assert laptop.opens(f"{earlier}x").status == httpx.codes.UNPROCESSABLE_ENTITY


def test_who_has_to_change_the_password_does_that_and_nothing_else(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    laptop.sends("/sign-out")
    with office(shop) as (ours, ann):
        ours.passwords.flag_password(ann.id, "a laptop was stolen")
    assert shop.postbox.next().subject == "Please choose a new password"
    assert laptop.sends("/sign-in", email=ANN, password=FIRST).response.url.path == "/account/password"
    assert laptop.opens("/account").response.url.path == "/account/password"
    assert laptop.sends("/account/sessions/end-all").status == httpx.codes.UNAUTHORIZED
    changed = laptop.sends("/account/password", current=FIRST, password=SECOND)
    assert changed.response.url.path == "/sign-in"
    assert shop.postbox.next().subject == "Your password was changed"
    assert laptop.sends("/sign-in", email=ANN, password=SECOND).response.url.path == "/account"


def test_what_matters_asks_for_the_password_again(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    shop.clock.advance(timedelta(minutes=15))
    asked = laptop.sends("/account/sessions/end-others")
    assert asked.response.url.path == "/confirm-identity"
    assert laptop.sends("/confirm-identity", way="password", answer=SECOND).status == httpx.codes.UNAUTHORIZED
    back = laptop.sends("/confirm-identity", way="password", answer=FIRST, next=asked.field("next")["value"])
    assert back.response.url.path == "/account/sessions"
    assert "All other devices are signed out." in laptop.sends("/account/sessions/end-others").text


def test_a_device_is_listed_and_forgotten(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    listed = laptop.opens("/account/sessions").text
    assert "Laptop, since 03 Mar (this one)" in " ".join(listed.split())
    [device] = re.findall(r"/account/sessions/devices/([\w-]{20,})/forget", listed)
    assert "Done." in laptop.sends(f"/account/sessions/devices/{device}/forget").text
    laptop.sends("/account/sessions/devices/forget-all")
    laptop.sends("/sign-in", email=ANN, password=FIRST)
    assert shop.postbox.next().subject == "Sign-in from a new device"


def test_an_address_is_added_and_removed(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    shop.clock.advance(timedelta(minutes=2))
    asked = laptop.sends("/account/contacts/add", email=NEW)
    letter = shop.postbox.next()
    wrong = laptop.sends("/account/contacts/prove", addition=asked.field("addition")["value"], code=other(letter.code))
    assert wrong.status == httpx.codes.UNAUTHORIZED
    shop.browser("Scanner").presses(letter.link_to("/account/add-contact"))
    added = laptop.sends("/account/contacts/prove", addition=wrong.field("addition")["value"], code=letter.code)
    assert "The address is yours" in added.text
    assert {shop.postbox.next().to for _ in range(2)} == {ANN, NEW}
    [contact] = re.findall(r"/account/contacts/([\w-]{20,})/remove", added.text)
    removed = laptop.sends(f"/account/contacts/{contact}/remove")
    assert "a***@spring.example" not in removed.text
    assert {
        (letter.to, "/undo-contact-change" in letter.text) for letter in (shop.postbox.next() for _ in range(3))
    } == {
        (ANN, False),
        (NEW, False),
        (NEW, True),
    }
    assert laptop.is_signed_in


def test_an_address_is_asked_whether_mail_arrives(shop: Running) -> None:
    shop.customer(shop.browser())
    with office(shop) as (ours, ann):
        ours.contact_care.check_contact(ann.id, ann.contacts[0].id, "two mails came back")
    assert "We go on writing" in shop.browser("Phone").presses(shop.postbox.next().link).text


def test_a_change_of_the_address_takes_both_mailboxes_and_the_old_one_takes_it_back(shop: Running) -> None:
    laptop, owner = shop.browser("Laptop"), shop.browser("Owner")
    shop.customer(laptop)
    shop.clock.advance(timedelta(minutes=2))
    assert "look into both mailboxes" in laptop.sends("/account/contacts/change", email=NEW).text
    asked = [shop.postbox.next() for _ in range(3)]
    at_new = next(letter for letter in asked if letter.to == NEW)
    at_old = next(letter for letter in asked if "/change-contact-old" in letter.text)
    assert "sign in first" in owner.presses(at_new.link).text
    assert "the other mailbox has to agree" in laptop.presses(at_new.link).text
    assert "From now on you sign in by the new address" in laptop.presses(at_old.link).text
    told = [shop.postbox.next() for _ in range(3)]
    assert laptop.is_signed_in
    assert "a***@spring.example" in laptop.opens("/account/contacts").text
    assert owner.sends("/sign-in", email=ANN, password=FIRST).status == httpx.codes.UNAUTHORIZED

    undo = next(letter for letter in told if "/undo-contact-change" in letter.text)
    assert undo.to == ANN
    assert "The old address counts again" in owner.presses(undo.link).text
    assert {shop.postbox.next().to for _ in range(2)} == {ANN, NEW}
    assert not laptop.is_signed_in
    assert owner.opens(undo.link).status == httpx.codes.GONE
    assert laptop.sends("/sign-in", email=NEW, password=FIRST).status == httpx.codes.UNAUTHORIZED
    shop.clock.advance(timedelta(minutes=2))
    owner.sends("/lost-password", email=ANN)
    owner.sends("/new-password", token=token_of(shop.postbox.next().link), password=SECOND)
    assert shop.postbox.next().to == ANN
    assert owner.sends("/sign-in", email=ANN, password=SECOND).response.url.path == "/account"
    assert shop.postbox.next().subject == "Sign-in from a new device"


def test_a_change_that_waits_is_cancelled(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    shop.clock.advance(timedelta(minutes=2))
    laptop.sends("/account/contacts/change", email=NEW)
    letters = [shop.postbox.next() for _ in range(3)]
    assert "Nothing has changed." in laptop.sends("/account/contacts/cancel-change").text
    assert laptop.opens(next(letter for letter in letters if letter.to == NEW).link).status == httpx.codes.GONE
    assert laptop.sends("/account/contacts/cancel-change").status == httpx.codes.CONFLICT


def test_a_customer_closes_the_account_and_stays_after_all(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    shop.clock.advance(timedelta(minutes=2))
    plan = laptop.opens("/account/close")
    assert "17 March 2031" in plan.text
    laptop.sends("/account/close", plan=plan.field("plan")["value"])
    link = shop.postbox.next().link_to("/account/close-account")
    assert shop.browser("Scanner").opens(link).response.url.path == "/sign-in"
    assert "about to be closed" in laptop.presses(link).text
    assert shop.postbox.next().to == ANN
    assert not laptop.is_signed_in

    stay = laptop.sends("/sign-in", email=ANN, password=FIRST)
    assert stay.response.url.path == "/account/stay"
    assert laptop.opens("/account/contacts").response.url.path == "/account/stay"
    assert "Good to have you." in laptop.sends("/account/stay").text
    assert shop.postbox.next().subject == "Your account stays"
    assert laptop.sends("/sign-in", email=ANN, password=FIRST).response.url.path == "/account"


def test_the_owner_stops_the_account_from_any_notice(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    laptop.sends("/account/password", current=FIRST, password=SECOND)
    stopped = laptop.presses(shop.postbox.next().link_to("/account/freeze-account"))
    assert "Your account is stopped." in stopped.text
    assert "stopped" in shop.postbox.next().subject
    assert not laptop.is_signed_in
    assert laptop.sends("/sign-in", email=ANN, password=SECOND).status == httpx.codes.FORBIDDEN
    assert "is suspended" in shop.postbox.next().subject


def test_an_invitation_is_accepted_by_whoever_it_was_meant_for(shop: Running) -> None:
    laptop, friend = shop.browser("Ann"), shop.browser("Bob")
    shop.customer(laptop)
    shop.clock.advance(timedelta(minutes=2))
    assert "The invitation is on its way." in laptop.sends("/account/invitations", email="bob@winter.example").text
    letter = shop.postbox.next()
    assert "b***@winter.example" in friend.opens(letter.link).text
    another = friend.presses(letter.link, email="eve@winter.example", password=SECOND)
    assert another.status == httpx.codes.FORBIDDEN
    assert friend.presses(letter.link, email="bob@winter.example", password=SECOND).response.url.path == "/account"
    assert "b***@winter.example, 03 Mar: accepted" in " ".join(laptop.opens("/account/invitations").text.split())
    assert friend.opens(letter.link).status == httpx.codes.GONE


def test_an_invitation_is_accepted_with_an_account_declined_or_taken_back(shop: Running) -> None:
    laptop, friend = shop.browser("Ann"), shop.browser("Bob")
    shop.customer(laptop)
    shop.customer(friend, "bob@winter.example", SECOND)
    links = []
    for _ in range(2):
        shop.clock.advance(timedelta(minutes=2))
        page = laptop.sends("/account/invitations", email="bob@winter.example")
        links.append(shop.postbox.next().link)
    [id] = re.findall(r"/account/invitations/([\w-]{20,})/revoke", page.text)
    assert "Sign in</a>, then open the invitation again" in shop.browser().opens(links[-1]).text
    friend.opens(links[-1])
    assert "accepted" in friend.sends("/invitation/accept", token=token_of(links[-1])).text
    assert laptop.sends(f"/account/invitations/{id}/revoke").status == httpx.codes.NOT_FOUND
    assert friend.opens(links[0]).status == httpx.codes.GONE


def test_the_link_in_the_mail_confirms_the_address_in_the_browser_that_asked(shop: Running) -> None:
    laptop = shop.browser()
    laptop.sends("/sign-up", email=ANN, password=FIRST)
    link = shop.postbox.next().link
    landing = shop.browser("Scanner").opens(link)
    assert landing.response.headers["Referrer-Policy"] == "no-referrer"
    assert landing.response.headers["Cache-Control"] == "no-store"
    assert "Your address is confirmed" in laptop.sends("/confirm", token=token_of(link)).text
    assert not laptop.is_signed_in
    laptop.sends("/sign-in", email=ANN, password=FIRST)
    assert laptop.is_signed_in


def test_the_link_in_another_browser_offers_to_start_anew(shop: Running) -> None:
    stranger, owner = shop.browser("Stranger"), shop.browser("Owner")
    stranger.sends("/sign-up", email=ANN, password=FIRST)
    link = shop.postbox.next().link
    assert "perhaps by somebody else" in owner.sends("/confirm", token=token_of(link)).text
    refused = owner.sends("/confirm/take-over", token=token_of(link), password="lampenhaus lampenhaus")
    assert refused.status == httpx.codes.UNPROCESSABLE_ENTITY
    owner.sends("/confirm/take-over", token=token_of(link), password=SECOND)
    assert owner.is_signed_in
    assert not stranger.is_signed_in
    assert stranger.sends("/sign-in", email=ANN, password=FIRST).status == httpx.codes.UNAUTHORIZED


def test_another_mail_can_be_asked_for_after_a_while(shop: Running) -> None:
    laptop = shop.browser()
    laptop.sends("/sign-up", email=ANN, password=FIRST)
    first = shop.postbox.next()
    too_soon = laptop.sends("/sign-up/resend")
    assert too_soon.status == httpx.codes.TOO_MANY_REQUESTS
    assert int(too_soon.response.headers["Retry-After"]) == 60
    shop.clock.advance(timedelta(minutes=1))
    assert "Another mail is on its way" in laptop.sends("/sign-up/resend").text
    second = shop.postbox.next()
    assert (
        first.code == second.code or laptop.sends("/sign-up/code", code=first.code).status == httpx.codes.UNAUTHORIZED
    )
    laptop.sends("/sign-up/code", code=second.code)
    assert laptop.is_signed_in


def test_answers_do_not_tell_who_is_a_customer(shop: Running) -> None:
    shop.customer(shop.browser())
    shop.clock.advance(timedelta(minutes=1))
    curious = shop.browser("Curious")
    nobody = "nobody@winter.example"
    for path in ("/sign-up", "/sign-in", "/lost-password"):
        known, unknown = (curious.sends(path, email=email, password=SECOND) for email in (ANN, nobody))
        assert known.status == unknown.status
        assert known.response.url.path == unknown.response.url.path
        assert without_chance(known.text.replace(ANN, nobody)) == without_chance(unknown.text)
        shop.clock.advance(timedelta(minutes=1))
    told = [shop.postbox.next() for _ in range(4)]
    assert {(letter.to, letter.subject) for letter in told if letter.to == ANN} == {
        (ANN, "You already have an account with Lampenhaus"),
        (ANN, "Choose a new password"),
    }


def test_guessing_is_slowed_down(shop: Running) -> None:
    shop.customer(shop.browser())
    guessing = shop.browser("Guesser")
    tries = [guessing.sends("/sign-in", email=ANN, password=f"is it lamp number {n}?") for n in range(6)]
    assert [page.status for page in tries] == [httpx.codes.UNAUTHORIZED] * 5 + [httpx.codes.TOO_MANY_REQUESTS]
    assert tries[-1].response.headers["Retry-After"] == "1"


@pytest.mark.proves("HST-5")
def test_what_another_site_makes_a_browser_send_is_refused(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    forged = [
        laptop.sends("/sign-out", origin="https://evil.example"),
        laptop.sends("/sign-out", origin="null"),
        laptop.sends("/sign-out", site="cross-site"),
        laptop.sends("/sign-out", site="same-site"),
        Page(httpx.post(f"{shop.url}/sign-out")),
    ]
    assert [page.status for page in forged] == [httpx.codes.FORBIDDEN] * len(forged)
    assert laptop.is_signed_in
    laptop.sends("/sign-out", origin="https://evil.example", site="same-origin")
    assert not laptop.is_signed_in


def test_a_browser_is_sent_back_to_where_it_was_but_never_to_another_site(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    laptop.sends("/sign-out")
    asked = laptop.opens("/account/sessions")
    assert asked.response.url.path == "/sign-in"
    back = laptop.sends("/sign-in", email=ANN, password=FIRST, next=asked.field("next")["value"])
    assert back.response.url.path == "/account/sessions"
    away = laptop.sends("/sign-in", email=ANN, password=FIRST, next="//evil.example/account")
    assert str(away.response.url) == f"{shop.url}/account"


def test_signing_in_again_drops_the_earlier_session(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    laptop.sends("/sign-in", email=ANN, password=FIRST)
    assert "Sign out Laptop" not in laptop.opens("/account/sessions").text


def test_all_others_or_everybody_can_be_signed_out(shop: Running) -> None:
    laptop, phone = shop.browser("Laptop"), shop.browser("Phone")
    shop.customer(laptop)
    phone.sends("/sign-in", email=ANN, password=FIRST)
    assert "new device" in shop.postbox.next().subject
    assert "All other devices are signed out." in laptop.sends("/account/sessions/end-others").text
    assert laptop.is_signed_in
    assert not phone.is_signed_in
    phone.sends("/sign-in", email=ANN, password=FIRST)
    laptop.sends("/account/sessions/end-all")
    assert not laptop.is_signed_in
    assert not phone.is_signed_in


def test_nobody_ends_a_session_of_somebody_else(shop: Running) -> None:
    ann, bob = shop.browser("Ann"), shop.browser("Bob")
    shop.customer(ann)
    shop.customer(bob, "bob@winter.example", SECOND)
    phone = shop.browser("Phone")
    phone.sends("/sign-in", email=ANN, password=FIRST)
    assert "new device" in shop.postbox.next().subject
    [of_phone] = set(re.findall(r"/account/sessions/([\w-]{20,})/end", ann.opens("/account/sessions").text))
    assert bob.sends(f"/account/sessions/{of_phone}/end").status == httpx.codes.NOT_FOUND
    assert phone.is_signed_in


def test_what_is_wrong_stands_beside_the_field_and_in_the_summary(shop: Running) -> None:
    page = shop.browser().sends("/sign-up", email="no address", password="short")
    assert page.status == httpx.codes.UNPROCESSABLE_ENTITY
    assert "".join(page.titles).startswith("Please check:")
    assert page.field("email")["aria-invalid"] == "true"
    assert page.field("email")["aria-describedby"] == "email-problem"
    assert '<a href="#email">' in page.text


def test_in_development_a_page_shows_the_mails(shop: Running) -> None:
    laptop = shop.browser()
    letter = shop.customer(laptop)
    assert letter.code in laptop.opens("/development/mails").text


class Phone:
    """An app that shows codes, set up with what a page shows."""

    def __init__(self, page: Page, clock: FixedClock) -> None:
        [secret] = re.findall(r"type in <strong>([A-Z2-7]+)</strong>", page.text)
        self._app, self._clock = pyotp.TOTP(secret), clock

    def next_code(self) -> str:
        self._clock.advance(timedelta(seconds=30))
        return str(self._app.at(self._clock.now()))


def add_app(shop: Running, browser: Browser) -> tuple[Phone, list[str]]:
    """Add an app by the pages; answer it, and the recovery codes that were shown."""
    setting_up = browser.sends("/account/security/apps/add", label="Phone")
    assert "<svg" in setting_up.text
    app = Phone(setting_up, shop.clock)
    assert browser.sends("/account/security/apps", answer="000000").field("answer")["aria-invalid"] == "true"
    shown = browser.sends("/account/security/apps", answer=app.next_code())
    assert shop.postbox.next().to == ANN
    return app, re.findall(r"<li>([A-Z0-9-]{20,})</li>", shown.text)


def kept_by(page: Page) -> dict[str, str]:
    """What the form of a second step sends back."""
    return {name: page.field(name)["value"] for name in ("progress", "ways", "next")}


def test_an_app_is_asked_for_after_the_password_until_the_device_is_trusted(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    app, codes = add_app(shop, laptop)
    assert len(codes) == 10
    laptop.sends("/sign-out")
    asked = laptop.sends("/sign-in", email=ANN, password=FIRST, next="/account/sessions")
    assert "One more step" in asked.text
    assert not laptop.is_signed_in
    wrong = laptop.sends("/sign-in/second-step", way=totp_way(asked), answer="000000", **kept_by(asked))
    assert wrong.status == httpx.codes.UNAUTHORIZED
    assert wrong.field("answer")["aria-invalid"] == "true"
    done = laptop.sends(
        "/sign-in/second-step", way=totp_way(wrong), answer=app.next_code(), trust="yes", **kept_by(wrong)
    )
    assert done.response.url.path == "/account/sessions"

    laptop.sends("/sign-out")
    assert laptop.sends("/sign-in", email=ANN, password=FIRST).response.url.path == "/account"
    elsewhere = shop.browser("Elsewhere")
    elsewhere.opens("/sign-in")
    assert "One more step" in elsewhere.sends("/sign-in", email=ANN, password=FIRST).text


def test_a_recovery_code_stands_in_for_the_app_once(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    _, [first, *_] = add_app(shop, laptop)
    for outcome in ("/account", "/sign-in/second-step"):
        laptop.sends("/sign-out")
        asked = laptop.sends("/sign-in", email=ANN, password=FIRST)
        given = laptop.sends("/sign-in/second-step", way="recovery_codes", answer=first, **kept_by(asked))
        assert given.response.url.path == outcome
    assert shop.postbox.next().subject == "One of your recovery codes was used"


def test_a_half_done_sign_in_goes_on_in_its_own_browser_only(shop: Running) -> None:
    laptop, thief = shop.browser(), shop.browser("Thief")
    shop.customer(laptop)
    app, _ = add_app(shop, laptop)
    laptop.sends("/sign-out")
    asked = laptop.sends("/sign-in", email=ANN, password=FIRST)
    thief.opens("/sign-in")
    stolen = thief.sends("/sign-in/second-step", way=totp_way(asked), answer=app.next_code(), **kept_by(asked))
    assert stolen.status == httpx.codes.UNAUTHORIZED
    assert not thief.is_signed_in


def test_second_steps_are_renamed_and_removed_after_one_of_them_was_shown(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    app, _ = add_app(shop, laptop)
    [id] = re.findall(r"/account/security/factors/([\w-]{20,})/remove", laptop.opens("/account/security").text)
    renamed = laptop.sends(f"/account/security/factors/{id}/rename", label="Old phone")
    assert "Old phone, since 03 Mar 2031" in renamed.text
    asked = laptop.sends(f"/account/security/factors/{id}/remove")
    assert asked.response.url.path == "/confirm-identity"
    back = laptop.sends(
        "/confirm-identity", way=f"totp {id}", answer=app.next_code(), next=asked.field("next")["value"]
    )
    assert back.response.url.path == "/account/security"
    renewed = laptop.sends("/account/security/recovery-codes")
    assert len(re.findall(r"<li>([A-Z0-9-]{20,})</li>", renewed.text)) == 10
    assert "It is removed" in laptop.sends(f"/account/security/factors/{id}/remove").text
    assert {shop.postbox.next().to for _ in range(2)} == {ANN}
    laptop.sends("/sign-out")
    assert laptop.sends("/sign-in", email=ANN, password=FIRST).response.url.path == "/account"


@pytest.fixture
def strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop that starts after this wants a second step of everybody."""
    strict = partial(SecondFactorPolicy, mode=SecondFactorMode.REQUIRED)
    monkeypatch.setattr("shop_common.settings.SecondFactorPolicy", strict)


@pytest.mark.usefixtures("strictly")
def test_where_everybody_needs_a_second_step_one_is_added_before_anything_else(shop: Running) -> None:
    laptop = shop.browser()
    laptop.sends("/sign-up", email=ANN, password=FIRST)
    there = laptop.sends("/sign-up/code", code=shop.postbox.next().code)
    assert there.response.url.path == "/account/security/apps/add"
    assert laptop.opens("/account").response.url.path == "/account/security/apps/add"
    app, codes = add_app(shop, laptop)
    assert len(codes) == 10
    asked = laptop.sends("/sign-in", email=ANN, password=FIRST)
    laptop.sends("/sign-in/second-step", way=totp_way(asked), answer=app.next_code(), **kept_by(asked))
    assert laptop.is_signed_in


def add_passkey(shop: Running, browser: Browser, device: SoftwareAuthenticator) -> None:
    """Add a passkey by the pages."""
    page = browser.opens("/account/security/passkeys/add")
    made = device.create(page.form("create")["data-options"])
    shown = browser.sends(
        "/account/security/passkeys/add", handle=page.field("handle")["value"], response=made, label="Laptop"
    )
    assert "Your recovery codes" in shown.text
    assert shop.postbox.next().to == ANN


def use_passkey(browser: Browser, page: Page, path: str, device: SoftwareAuthenticator, **fields: str) -> Page:
    """Answer a page that asks for a passkey."""
    response = device.get(page.form("get")["data-options"])
    return browser.sends(path, handle=page.field("handle")["value"], response=response, **fields)


def test_a_passkey_signs_in_without_password_and_second_step(shop: Running) -> None:
    laptop, device = shop.browser(), SoftwareAuthenticator(origin=shop.url, entropy=SystemEntropy())
    shop.customer(laptop)
    add_passkey(shop, laptop, device)
    laptop.sends("/sign-out")
    page = laptop.opens("/sign-in?next=/account/sessions")
    assert page.field("email")["autocomplete"] == "username webauthn"
    assert use_passkey(laptop, page, "/sign-in/passkey", device, next="/account/sessions").response.url.path == (
        "/account/sessions"
    )
    assert "last used 03 Mar" in laptop.opens("/account/security").text
    again = laptop.sends("/sign-in/passkey", handle=page.field("handle")["value"], response="{}")
    assert again.status == httpx.codes.UNAUTHORIZED
    assert again.form("get")["data-options"], "the page asks once more"


def test_a_passkey_answers_for_the_second_step_and_for_a_fresh_proof(shop: Running) -> None:
    laptop, device = shop.browser(), SoftwareAuthenticator(origin=shop.url, entropy=SystemEntropy())
    shop.customer(laptop)
    add_passkey(shop, laptop, device)
    laptop.sends("/sign-out")
    laptop.opens("/sign-in")
    asked = laptop.sends("/sign-in", email=ANN, password=FIRST)
    done = use_passkey(laptop, asked, "/sign-in/second-step", device, way="passkey", **kept_by(asked))
    assert done.response.url.path == "/account"

    shop.clock.advance(timedelta(minutes=15))
    [id] = re.findall(r"/account/security/passkeys/([\w-]{20,})/remove", laptop.opens("/account/security").text)
    asked = laptop.sends(f"/account/security/passkeys/{id}/remove")
    back = use_passkey(
        laptop, asked, "/confirm-identity", device, way="passkey", next=asked.field("next")["value"], by="passkey"
    )
    assert back.response.url.path == "/account/security"
    assert "Tablet, since" in laptop.sends(f"/account/security/passkeys/{id}/rename", label="Tablet").text
    assert "It is removed" in laptop.sends(f"/account/security/passkeys/{id}/remove").text
    assert shop.postbox.next().to == ANN
    laptop.sends("/sign-out")
    assert laptop.sends("/sign-in", email=ANN, password=FIRST).response.url.path == "/account"


def test_a_code_by_mail_signs_in_and_its_link_in_another_browser_only_shows_it(shop: Running) -> None:
    laptop, phone = shop.browser(), shop.browser("Phone")
    shop.customer(laptop)
    shop.clock.advance(timedelta(minutes=2))
    asked = phone.sends("/sign-in/code", email=ANN)
    letter = shop.postbox.next()
    elsewhere = shop.browser("Elsewhere").presses(letter.link)
    assert letter.code in elsewhere.text
    wrong = phone.sends("/sign-in/code/answer", handle=asked.field("handle")["value"], answer=other(letter.code))
    assert wrong.status == httpx.codes.UNAUTHORIZED
    phone.sends("/sign-in/code/answer", handle=wrong.field("handle")["value"], answer=letter.code)
    assert phone.is_signed_in
    assert shop.postbox.next().subject == "Sign-in from a new device"


def test_the_link_in_that_mail_signs_in_the_browser_that_asked(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    laptop.sends("/sign-out")
    shop.clock.advance(timedelta(minutes=2))
    laptop.sends("/sign-in/code", email=ANN)
    assert laptop.presses(shop.postbox.next().link).response.url.path == "/account"


def totp_way(page: Page) -> str:
    """The way of the app, out of what a page offers."""
    return next(field["value"] for field in page.inputs if field["value"].startswith("totp "))


@pytest.mark.proves("HST-4")
def test_on_plain_localhost_cookies_have_no_prefix(shop: Running) -> None:
    laptop = shop.browser()
    shop.customer(laptop)
    assert laptop.cookies == {"session", "device"}
    again = laptop._client.post(
        "/sign-in", data={"email": ANN, "password": FIRST, "remember": "yes"}, headers={"Origin": shop.url}
    )
    cookie = again.headers["Set-Cookie"]
    assert cookie.startswith("session=sa1.ses.")
    assert "Max-Age=2592000" in cookie
    assert "HttpOnly" in cookie
    assert "Secure" not in cookie


@pytest.mark.proves("HST-4")
@pytest.mark.parametrize("kind", ["flask", "fastapi"])
def test_in_production_cookies_are_for_this_host_over_tls_and_out_of_reach_for_scripts(
    kind: str, tmp_path: Path, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEYS", new_root(SystemEntropy()))
    server = MailServer(host="127.0.0.1", port=postbox.port, tls=Tls.NONE)
    settings = Settings(url="https://lampenhaus.example", folder=tmp_path, mail_server=server)
    form = {"email": ANN, "password": FIRST}
    headers = {"Origin": settings.url}
    if kind == "flask":
        with httpx.Client(transport=httpx.WSGITransport(create_flask_shop(settings)), headers=headers) as browser:
            started = browser.post(f"{settings.url}/sign-up", data=form)
            insecure = browser.post("http://lampenhaus.example/sign-up", data=form)
            mails = browser.get(f"{settings.url}/development/mails")
    else:
        started, insecure, mails = asyncio.run(in_process(create_fastapi_shop(settings), settings.url, form, headers))
    assert postbox.next().link.startswith("https://lampenhaus.example/confirm?token=")
    flags = {flag.strip() for flag in started.headers["Set-Cookie"].split(";")[1:]}
    assert started.headers["Set-Cookie"].startswith("__Host-registration=")
    assert {flag.lower() for flag in flags} == {"secure", "httponly", "path=/", "samesite=lax"}
    assert insecure.status_code == httpx.codes.FORBIDDEN
    assert mails.status_code == httpx.codes.NOT_FOUND


@pytest.mark.proves("EXM-8")
@pytest.mark.parametrize("name", ["flask_shop", "fastapi_shop"])
def test_the_command_in_the_readme_starts_the_shop(name: str, tmp_path: Path) -> None:
    readme = (EXAMPLES / name / "README.md").read_text("utf-8")
    [command] = re.findall(r"^    ((?:flask|uvicorn) .*)$", readme, re.MULTILINE)
    program, *arguments = shlex.split(command)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603  (ours)
        [sys.executable, "-m", program, *arguments, "--port", str(port)],
        cwd=EXAMPLES.parents[1],
        env={"SHOP_FOLDER": str(tmp_path), "PYTHONPATH": "src", "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout
            assert any("running on" in line.lower() for line in process.stdout), "it ended by itself"
            assert "Reading lamp" in httpx.get(f"http://127.0.0.1:{port}/").text
        finally:
            process.terminate()


@contextmanager
def office(running: Running) -> Iterator[tuple[ShopAccounts, Customer]]:
    """What the shop's own people have: a process over the same file, with the one customer that there is."""
    opened, staff = open_flask_shop(running.settings, running.clock), StaffRoom()
    staff.hire("eve", signed_in_at=running.clock.now())
    storage, bell = opened.adapters.storage, opened.adapters.bell
    assert isinstance(storage, SqlStorage)
    assert isinstance(bell, ThreadBell)
    with storage.engine.connect() as connection:
        [id] = connection.execute(select(storage.tables[CUSTOMERS].table.c.id)).scalars().all()
    found = storage.open(opened.scope).find(CUSTOMERS, id)
    assert found
    yield (
        ShopAccounts(
            adapters=attrs.evolve(opened.adapters, agents=staff),
            storefront=opened.storefront,
            policies=opened.policies,
            scope=attrs.evolve(opened.scope, actor=Actor(ActorKind.AGENT, "eve")),
        ),
        found.it,
    )
    bell.close(10)
    storage.close()


async def in_process(
    app: FastAPI, url: str, form: dict[str, str], headers: dict[str, str]
) -> tuple[httpx.Response, ...]:
    """Ask an async shop without a server."""
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=url) as client:
        return (
            await client.post("/sign-up", data=form, headers=headers),
            await client.post(url.replace("https", "http") + "/sign-up", data=form, headers=headers),
            await client.get("/development/mails"),
        )


def without_chance(text: str) -> str:
    """A page without what is drawn anew for each passkey request."""
    return re.sub(r"sa1\.pky\.[\w.-]+|challenge&#34;: &#34;[\w-]+", "", text)


def other(code: str) -> str:
    """A code that is wrong."""
    return f"{(int(code) + 1) % 10**6:06}"


def token_of(link: str) -> str:
    """The ticket in a link."""
    return link.rpartition("token=")[2]
