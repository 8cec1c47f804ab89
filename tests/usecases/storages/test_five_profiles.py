"""Every assurance profile holds what it says, on every kind of storage."""

import pytest

from shopaccounts import Adapters, AssuranceProfile
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.kernel.secret import Secret
from shopaccounts.testing.assurance import AssuranceContract
from shopaccounts.testing.assurance.setting import Leaks


@pytest.fixture(params=["memory-late", "sqlite", "postgresql-async"])
def flavour(request):
    """Both kinds of host are among them."""
    return request.param


class TestFiveProfiles(AssuranceContract):
    """A shop that is configured with one of the profiles as it ships."""

    @pytest.fixture(params=["shop-default", "asvs-l1", "asvs-l2", "nist-aal1", "nist-aal2"])
    def profile(self, request):
        return AssuranceProfile.named(request.param)

    @pytest.fixture
    def adapters(self, flavour, open_storage):
        keyring = RootKeyring([Secret(b"k" * 32)])
        return Adapters(storage=open_storage(flavour), keyring=keyring, breached_passwords=Leaks())
