"""The library's own vault and keyring keep the promises of their ports, at once and late."""

from collections.abc import Callable

import pytest

from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Keyring, Vault
from shopaccounts.testing.contracts.vault import KeyringContract, VaultContract
from shopaccounts.testing.doubles import Late, ScriptedEntropy
from shopaccounts.testing.plugin import BLOCKING

Rotate = Callable[[], None]


def root(seed: str) -> Secret[bytes]:
    return Secret(ScriptedEntropy(seed).raw(32))


class OwnKeys:
    @pytest.fixture
    def in_use(self) -> set[str]:
        return set()

    @pytest.fixture
    def roots(self, in_use: set[str]) -> RootKeyring:
        return RootKeyring([root("first")], uses_key=lambda _, id: id in in_use)

    @pytest.fixture
    def rotate(self, roots: RootKeyring) -> Rotate:
        seeds = iter(["second", "third", "fourth"])
        return lambda: roots.add(root(next(seeds)))


class TestRootKeyring(OwnKeys, KeyringContract):
    @pytest.fixture
    def keyring(self, roots: RootKeyring, host: str) -> Keyring:
        return roots if host == BLOCKING else Late(roots)


class TestAesVault(OwnKeys, VaultContract):
    @pytest.fixture
    def vault(self, roots: RootKeyring, host: str) -> Vault:
        vault = AesVault(roots, ScriptedEntropy())
        return vault if host == BLOCKING else Late(vault)
