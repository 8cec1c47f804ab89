from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from shopaccounts.kernel.errors import BadPolicy, Defect
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.web import (
    DEVICE_COOKIE,
    FLOW_COOKIE,
    SESSION_COOKIE,
    ClearCookie,
    Landing,
    LinkBuilder,
    SameSite,
    SetCookie,
)
from shopaccounts.recovery import ResetOffer
from shopaccounts.registration import ContactOffer

PATHS = {"verify_contact": "/verify", "password_reset": "/account/reset"}
TICKET = Secret("sa1.rst.abc_-.def")


def links(base="https://lamp.example", **more):
    return LinkBuilder(**{"base": {"main": base}, "paths": PATHS} | more)


class TestCookies:
    @pytest.mark.proves("KER-213")
    def test_a_cookie_is_for_this_host_over_tls_and_out_of_reach_for_scripts(self):
        cookie = SetCookie(name=SESSION_COOKIE, value=Secret("value"))
        told = attrs.asdict(cookie, filter=attrs.filters.exclude("value"))
        assert told == {
            "name": "__Host-session", "same_site": "Lax", "max_age": None,
            "secure": True, "http_only": True, "path": "/", "host_only": True,
        }  # fmt: skip
        assert "value" not in repr(cookie).replace("value=Secret(•••)", "")

    @pytest.mark.proves("KER-213")
    def test_the_names_make_browsers_insist_on_that(self):
        assert (SESSION_COOKIE, DEVICE_COOKIE, FLOW_COOKIE) == ("__Host-session", "__Host-device", "__Host-flow")

    @pytest.mark.proves("KER-213")
    def test_a_shop_may_be_stricter_and_a_remembered_one_has_an_age(self):
        cookie = SetCookie(
            name=SESSION_COOKIE, value=Secret("value"), same_site=SameSite.STRICT, max_age=timedelta(days=30)
        )
        assert (cookie.same_site, cookie.max_age) == ("Strict", timedelta(days=30))

    @pytest.mark.proves("KER-213")
    def test_signing_out_names_the_cookie_to_be_removed(self):
        assert ClearCookie(SESSION_COOKIE).name == "__Host-session"


class TestLinks:
    @pytest.mark.proves("KER-214")
    def test_a_link_is_the_stores_own_address_the_purposes_page_and_the_ticket(self):
        assert links().link("main", "password_reset", TICKET).reveal() == (
            "https://lamp.example/account/reset?token=sa1.rst.abc_-.def"
        )
        assert links("https://lamp.example:8443/").link("main", "verify_contact", TICKET).reveal() == (
            "https://lamp.example:8443/verify?token=sa1.rst.abc_-.def"
        )

    @pytest.mark.proves("KER-214")
    def test_the_ticket_may_stand_in_the_fragment_which_no_server_is_sent(self):
        link = links(token_in="fragment").link("main", "password_reset", TICKET).reveal()
        assert urlsplit(link).query == ""
        assert urlsplit(link).fragment == "token=sa1.rst.abc_-.def"

    @pytest.mark.proves("KER-214")
    def test_whatever_the_ticket_holds_it_is_one_parameter(self):
        odd = "a&b=c#d é/+ ?"
        link = links().link("main", "password_reset", Secret(odd)).reveal()
        assert parse_qs(urlsplit(link).query) == {"token": [odd]}
        assert urlsplit(link).fragment == ""

    @pytest.mark.proves("KER-214", "KER-203")
    def test_a_link_is_a_secret(self):
        assert repr(links().link("main", "password_reset", TICKET)) == "Secret(•••)"

    @pytest.mark.proves("KER-214")
    @pytest.mark.parametrize(
        "base",
        [
            "http://lamp.example", "http://localhost", "ftp://lamp.example", "lamp.example", "//lamp.example", "",
            "https://", "https:///x", "https://lamp.example/shop", "https://lamp.example?x=1", "https://lamp.example#x",
            "https://ann@lamp.example", "https://ann:pw@lamp.example", "https://:pw@lamp.example", "https://lamp.example\n",
            "https://la\tmp.example", " https://lamp.example", "javascript:alert(1)",
        ],
        ids=ascii,
    )  # fmt: skip
    def test_a_base_that_is_no_bare_https_address_is_refused_at_start_up(self, base):
        with pytest.raises(BadPolicy):
            links(base)

    @pytest.mark.proves("KER-214")
    @pytest.mark.parametrize("base", ["http://localhost", "http://127.0.0.1:8000", "http://[::1]:8000"])
    def test_a_developers_own_machine_may_do_without_tls_where_that_is_said(self, base):
        assert links(base, allow_loopback=True).link("main", "password_reset", TICKET).reveal().startswith(base)
        for elsewhere in ("http://lamp.example", "http://10.0.0.1", "http://localhost.lamp.example", "ftp://localhost"):
            with pytest.raises(BadPolicy):
                links(elsewhere, allow_loopback=True)

    @pytest.mark.proves("KER-214")
    @pytest.mark.parametrize(
        "path", ["reset", "", "//evil.example", "/\\evil.example", "/reset?x=1", "/reset#x", "/re\nset"]
    )
    def test_a_page_that_is_no_path_of_the_site_is_refused_at_start_up(self, path):
        with pytest.raises(BadPolicy):
            links(paths={"password_reset": path})

    @pytest.mark.proves("KER-214")
    def test_a_ticket_stands_nowhere_else(self):
        with pytest.raises(BadPolicy):
            links(token_in="path")

    @pytest.mark.proves("KER-214")
    def test_a_store_without_an_address_is_a_programmers_mistake(self):
        with pytest.raises(Defect, match="no address") as defect:
            links().link("other", "password_reset", TICKET)
        assert TICKET.reveal() not in str(defect.value)

    @pytest.mark.proves("KER-214")
    def test_a_purpose_that_the_shop_gave_no_path_has_one_all_the_same(self):
        address = urlsplit(links().link("main", "freeze_account", TICKET).reveal())
        assert (address.scheme, address.path) == ("https", "/account/freeze-account")

    @pytest.mark.proves("KER-214")
    @pytest.mark.parametrize("offer", [ContactOffer, ResetOffer])
    def test_what_a_landing_page_shows_brings_the_headers_that_keep_its_address_private(self, offer):
        assert issubclass(offer, Landing)
        assert (Landing().referrer_policy, Landing().cache_control) == ("no-referrer", "no-store")


class TestStorefront:
    def test_a_storefront_knows_its_name_its_hosts_and_its_links(self):
        stores = {StoreId("de"): "https://lampen.example", StoreId("fr"): "https://lampes.example:8443"}
        front = Storefront(name="Lampenhaus", links=LinkBuilder(base=stores, paths=PATHS))
        assert front.domains == ("lampen.example", "lampes.example")
        assert front.variables(minutes="10") == {"shop": "Lampenhaus", "minutes": "10"}
        assert (
            front.link(StoreId("fr"), "verify_contact", TICKET)
            .reveal()
            .startswith("https://lampes.example:8443/verify?")
        )


def test_the_age_of_a_cookie_is_a_time_span_not_a_number() -> None:
    end, now = datetime(2031, 3, 2, tzinfo=UTC), datetime(2031, 3, 1, tzinfo=UTC)
    assert SetCookie(name=SESSION_COOKIE, value=Secret("v"), max_age=end - now).max_age == timedelta(days=1)
