"""Every assurance profile holds what it says, and on every kind of storage."""

import attrs
import pytest

from shopaccounts import Adapters, AssuranceProfile
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers import ProviderConfig, ProviderPolicy, TrustsEmail
from shopaccounts.signin import PasskeyPolicy
from shopaccounts.testing.assurance import AssuranceContract
from shopaccounts.testing.assurance.setting import Leaks

PASSKEYS = PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=("https://lampenhaus.example",))
PROVIDERS = ProviderPolicy(
    configs=(
        ProviderConfig(
            id="elsewhere",
            issuer="https://elsewhere.example",
            client_id="the shop",
            redirect_uri="https://lampenhaus.example/from-elsewhere",
            keys="https://elsewhere.example/keys",
            trusts_email=TrustsEmail.WHEN_VERIFIED,
        ),
    )
)


NAMES = ("shop-default", "asvs-l1", "asvs-l2", "nist-aal1", "nist-aal2")
ON_DISK = (("sqlite", "asvs-l2"), ("sqlite", "nist-aal1"), ("postgresql-async", "shop-default"))
PAIRS = (*(("memory-late", name) for name in NAMES), *ON_DISK, ("postgresql-async", "nist-aal2"))


class TestFiveProfiles(AssuranceContract):
    """A shop that is configured with one of the profiles, and has passkeys and a provider besides.

    Each profile is tried in memory; of the databases each with two, both kinds of host among them.
    """

    @pytest.fixture(params=PAIRS, ids=" ".join)
    def pair(self, request):
        return request.param

    @pytest.fixture
    def flavour(self, pair):
        """Tell which kind of host there is, too."""
        return pair[0]

    @pytest.fixture
    def profile(self, pair):
        profile = AssuranceProfile.named(pair[1]).with_passkeys(PASSKEYS)
        return attrs.evolve(profile, policies=attrs.evolve(profile.policies, providers=PROVIDERS))

    @pytest.fixture
    def adapters(self, flavour, open_storage):
        keyring = RootKeyring([Secret(b"k" * 32)])
        return Adapters(storage=open_storage(flavour), keyring=keyring, breached_passwords=Leaks())


class TestTheThirdLevel(TestFiveProfiles):
    """A shop that does what ASVS asks for at its third level."""

    @pytest.fixture(params=[("memory-late", "asvs-l2")], ids=" ".join)
    def pair(self, request):
        return request.param

    @pytest.fixture
    def profile(self):
        return AssuranceProfile.named("asvs-l2").with_passkeys(PASSKEYS).asvs_l3_overlay()
