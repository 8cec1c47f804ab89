"""Somebody wants the shop to mail links that lead elsewhere, or to send people elsewhere after they have signed in."""

import inspect
from urllib.parse import urlsplit

import pytest

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.request import RequestContext
from shopaccounts.registration import RegistrationForm
from shopaccounts.testing.builders import PASSWORD, request_from

ANN = "ann@lamp.example"
ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "/a\r\nLocation: https://evil.example",
    "https:evil.example",
    " //evil.example",
    "/\t/evil.example",
)
FACES = ("registration", "signin", "sessions", "recovery")


@pytest.mark.proves("KER-214")
def test_nothing_that_a_request_says_can_name_a_host(builder) -> None:
    """A use-case that took a host name or an address of a page could be told a wrong one."""
    shop = builder.blocking()
    taken = {
        name
        for face in FACES
        for _, method in inspect.getmembers(getattr(shop, face), inspect.ismethod)
        for name in inspect.signature(method).parameters
    }
    taken |= set(inspect.signature(RequestContext).parameters)
    assert not {name for name in taken if any(word in name for word in ("host", "url", "domain", "origin", "header"))}


@pytest.mark.proves("KER-214")
async def test_every_link_in_a_mail_leads_to_the_shop(shop, builder) -> None:
    agent = "Mozilla\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example"
    poisoned = request_from("203.0.113.66", agent=agent)
    await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), poisoned)
    await shop.open_account("eve@lamp.example")
    await shop.recovery.request_reset("eve@lamp.example", poisoned)
    links = [text for letter in builder.mailbag.letters for name, text in letter.secrets.items() if "link" in name]
    assert len(links) >= 3
    assert {urlsplit(link)[:2] for link in links} == {("https", "lampenhaus.example")}
    assert not any(
        "evil" in repr(dict(letter.variables)) + repr(dict(letter.secrets)) for letter in builder.mailbag.letters
    )


@pytest.mark.proves("KER-215")
@pytest.mark.parametrize("path", ELSEWHERE)
async def test_a_way_back_that_leads_elsewhere_leads_to_the_front_page(shop, builder, path) -> None:
    form = RegistrationForm(identifier=ANN, password=PASSWORD, return_path=path)
    try:
        started = await shop.registration.register(form, request_from())
    except Rejected:
        return
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, request_from())
    assert done.return_path == "/"
