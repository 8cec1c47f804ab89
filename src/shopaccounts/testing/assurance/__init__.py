"""Whether a shop keeps the values of its assurance profile, with the shop's own adapters: one test for each value.

Subclass ``AssuranceContract`` in your own tests, under a name that starts with ``Test``, and override two fixtures::

    class TestOurShop(AssuranceContract):
        @pytest.fixture
        def profile(self):
            return AssuranceProfile.named("asvs-l2")

        @pytest.fixture
        def adapters(self):
            return Adapters(storage=SqlStorage(URL), keyring=..., breached_passwords=...)

Storage, counters, keyring and hasher are yours, and so are what knows phone numbers, codes of apps and passkeys. The
clock stands still until a test moves it, messages are read instead of sent, and the list of leaked passwords is one
that a test fills, since yours may lie at the other end of a network. The cost of a hash is tried with your own hasher,
once; wherever else a password is kept, it is at no cost, so that hundreds of guesses take a second. Passkeys are those
of a device in software, and your providers are played by little ones with your values. What the profile doesn't offer
is tried as well, and has to be refused. Each test has a realm of its own, so your database may hold other things.
"""

# ruff: noqa: D102  (a test's name is its sentence)
from shopaccounts.assurance import AssuranceProfile
from shopaccounts.settings import Adapters
from shopaccounts.testing.assurance.codes import CodeValues
from shopaccounts.testing.assurance.contacts import ContactValues
from shopaccounts.testing.assurance.factors import FactorValues
from shopaccounts.testing.assurance.guesses import GuessValues
from shopaccounts.testing.assurance.keys import KeyValues
from shopaccounts.testing.assurance.passwords import PasswordValues
from shopaccounts.testing.assurance.sessions import SessionValues
from shopaccounts.testing.assurance.strangers import StrangerValues
from shopaccounts.testing.assurance.ways_back import WayBackValues

__all__ = ["AssuranceContract"]


class AssuranceContract(
    PasswordValues,
    GuessValues,
    CodeValues,
    FactorValues,
    KeyValues,
    SessionValues,
    ContactValues,
    WayBackValues,
    StrangerValues,
):
    """The values of an assurance profile as tests."""

    def test_the_profile_accepts_the_policies_and_the_adapters(
        self, profile: AssuranceProfile, adapters: Adapters
    ) -> None:
        profile.check(adapters)
