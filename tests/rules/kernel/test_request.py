from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import InsecureTransport, InvalidInput, Kind
from shopaccounts.kernel.request import (
    HumanEvidence,
    RequestContext,
    TransportPolicy,
    client_ip,
    network_bucket,
    safe_return_path,
)

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:aaaa::/48")]
LOOPBACK = ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]
v4, v6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
hops = st.lists((v4 | v6).map(str) | st.sampled_from(["10.1.1.1", "unknown", "", "_hidden", "10.0.0.300"]), max_size=6)


class TestClientAddress:
    @pytest.mark.proves("KER-210")
    @pytest.mark.parametrize(
        ("peer", "forwarded", "found"),
        [
            ("203.0.113.9", [], "203.0.113.9"),
            ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", ["1.1.1.1", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
            ("10.0.0.1", ["198.51.100.7", "garbage", "10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", ["198.51.100.7", "", "10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", ["garbage"], "10.0.0.1"),
            ("10.0.0.1", ["10.0.0.3", "10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
            ("2001:db8:aaaa::1", ["[2001:db8::7]:443"], "2001:db8::7"),
            ("2001:db8:aaaa::1", [" 2001:db8::7 "], "2001:db8::7"),
            ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", ["198.51.100.07"], "10.0.0.1"),
        ],
    )
    def test_it_is_the_first_address_from_the_right_that_is_no_proxy_of_ours(self, peer, forwarded, found):
        assert client_ip(peer, forwarded, PROXIES) == ip_address(found)

    @pytest.mark.proves("KER-210")
    @pytest.mark.parametrize("peer", ["", "unix:", "not an address", "１.2.3.4"])
    def test_a_peer_without_an_address_is_nobody(self, peer):
        assert client_ip(peer, ["198.51.100.7"], PROXIES) is None

    @pytest.mark.proves("KER-210")
    @given(v4 | v6, hops)
    def test_without_trusted_proxies_it_is_the_peer_whatever_the_header_says(self, peer, forwarded):
        found = client_ip(str(peer), forwarded, [])
        assert found == (getattr(peer, "ipv4_mapped", None) or peer)

    @pytest.mark.proves("KER-210")
    @given(hops, hops, v4)
    def test_what_a_stranger_writes_in_front_changes_nothing(self, invented, forwarded, stranger):
        real = ["10.0.0.7" if ip_address(stranger) in PROXIES[0] else str(stranger), "10.0.0.2"]
        outside = real[0] == str(stranger)
        if outside:
            assert client_ip("10.0.0.1", [*invented, *real], PROXIES) == stranger
            assert client_ip("10.0.0.1", [*forwarded, *real], PROXIES) == stranger


class TestNetworks:
    @pytest.mark.proves("KER-211")
    @pytest.mark.parametrize(
        ("address", "bucket"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("fe80::1%eth0", "fe80::/64"),
        ],
    )
    def test_attempts_are_counted_for_a_whole_v4_address_and_for_the_64_bits_that_a_v6_customer_has(
        self, address, bucket
    ):
        assert network_bucket(ip_address(address)) == bucket

    @pytest.mark.proves("KER-211")
    def test_requests_from_an_unknown_address_are_counted_together(self):
        assert network_bucket(None) == "unknown" == RequestContext(secure=True).network

    @pytest.mark.proves("KER-211")
    @given(v4)
    def test_a_v4_address_written_as_v6_is_the_same_network(self, address):
        assert network_bucket(IPv6Address(f"::ffff:{address}")) == network_bucket(IPv4Address(address))

    @pytest.mark.proves("KER-211")
    @given(v6, st.integers(0, 2**64 - 1))
    def test_whoever_shares_64_bits_shares_a_bucket(self, address, rest):
        if address.ipv4_mapped is None:
            neighbour = IPv6Address((int(address) >> 64 << 64) | rest)
            if neighbour.ipv4_mapped is None:
                assert network_bucket(neighbour) == network_bucket(address)


class TestContext:
    @pytest.mark.proves("KER-201")
    def test_a_user_agent_is_cut_and_cleaned_not_refused(self):
        assert RequestContext(secure=True, user_agent="Lamp\r\nX: 1/2\0\u202e\ud800").user_agent == "LampX: 1/2"
        assert RequestContext(secure=True, user_agent="é" * 600).user_agent == "é" * 512
        assert RequestContext(secure=True, user_agent="Mozilla/5.0").user_agent == "Mozilla/5.0"

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("agent", [None, b"Mozilla", 5, ["Mozilla"]])
    def test_a_user_agent_that_is_no_text_is_refused(self, agent):
        with pytest.raises(InvalidInput) as refusal:
            RequestContext(secure=True, user_agent=agent)
        assert refusal.value.field == "user_agent"


class TestTransport:
    @pytest.mark.proves("KER-212")
    @pytest.mark.parametrize("address", [None, "192.0.2.1", *LOOPBACK])
    def test_a_secure_request_passes_from_anywhere(self, address):
        TransportPolicy().check(RequestContext(secure=True, client_ip=address and ip_address(address)))

    @pytest.mark.proves("KER-212")
    @pytest.mark.parametrize("address", [None, "192.0.2.1", *LOOPBACK])
    def test_an_insecure_one_is_refused_from_everywhere(self, address):
        with pytest.raises(InsecureTransport) as refusal:
            TransportPolicy().check(RequestContext(secure=False, client_ip=address and ip_address(address)))
        assert refusal.value.kind is Kind.FORBIDDEN

    @pytest.mark.proves("KER-212")
    def test_the_own_machine_alone_is_excepted_where_a_developer_says_so(self):
        policy = TransportPolicy(allow_loopback=True)
        for address in LOOPBACK:
            policy.check(RequestContext(secure=False, client_ip=ip_address(address)))
        for elsewhere in (None, ip_address("192.0.2.1"), ip_address("10.0.0.1")):
            with pytest.raises(InsecureTransport):
                policy.check(RequestContext(secure=False, client_ip=elsewhere))


class TestReturnPaths:
    @pytest.mark.proves("KER-215")
    @pytest.mark.parametrize(
        "path", ["/", "/cart", "/lamps?colour=red&n=2#top", "/straße/übersicht", "/a//b", "/@lamp"]
    )
    def test_a_path_of_this_site_is_kept(self, path):
        assert safe_return_path(path) == path

    @pytest.mark.proves("KER-215")
    @pytest.mark.parametrize(
        "value",
        [
            "", "cart", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "javascript:x",
            "/\tevil", "/\n/evil.example", "/a\\b", "/a\0", "/a\u2028", "/a\u202e", " /a", "\t//evil.example", None, 5,
            b"/cart", ["/cart"], "/\ud800", "/" + "a" * 2048,
        ],
        ids=ascii,
    )  # fmt: skip
    def test_anything_else_becomes_the_front_page(self, value):
        assert safe_return_path(value) == "/"

    @pytest.mark.proves("KER-215")
    @given(st.one_of(st.text(max_size=12), st.text("/\\:.@\t\nab?#", max_size=12).map(lambda rest: f"/{rest}")))
    def test_whatever_comes_in_a_browser_stays_on_this_site(self, value):
        kept = safe_return_path(value)
        assert kept in {value, "/"}
        assert urlsplit(urljoin("https://shop.example/x", kept)).netloc == "shop.example"
        assert kept[0] == "/"
        assert kept[1:2] not in {"/", "\\"}
        assert kept.isprintable()
        assert "\\" not in kept


class TestEvidence:
    @pytest.mark.proves("KER-203")
    def test_what_a_browser_sent_to_show_a_person_is_not_shown(self):
        evidence = HumanEvidence(answer="puzzle-answer", honeypot="filled-in")
        context = RequestContext(secure=True, human=evidence)
        assert context.human == evidence
        assert "puzzle-answer" not in repr(context)
        assert "filled-in" not in repr(context)
        assert RequestContext(secure=True).human is None
