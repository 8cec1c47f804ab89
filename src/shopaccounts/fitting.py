"""Whether the adapters fit the host: defaults for what was left out, and no for what would block or wait."""

import inspect
from typing import Any

import attrs

from shopaccounts.customers import ClosingObjections
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.phones import PhoneRules
from shopaccounts.kernel.ports import Counters, Leases, Storage, Store
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.vault import Keyring, Vault
from shopaccounts.passwords import BreachedPasswords, Hasher
from shopaccounts.providers import NoIdTokens, ProviderKind, SignedTokens
from shopaccounts.registration import Confusables, DisposableDomains, EmailSyntax, HumanCheck, MailDomains
from shopaccounts.relay import Courier, Target, Templates
from shopaccounts.settings import Adapters, Policies
from shopaccounts.signin import Passkeys, Places, QrCode, RiskSignals, Totp
from shopaccounts.subscriptions import Gateway, Jurisdictions, PaymentMethods, Plans, Taxes, Usage

__all__ = ["refuse_async", "refuse_blocking", "with_defaults"]


def with_defaults(adapters: Adapters, policies: Policies, *, blocking: bool) -> Adapters:
    """Fill in what a shop didn't choose; each adapter is imported only if it is used."""
    from shopaccounts.adapters.argon2 import Argon2Hasher, ThreadedArgon2Hasher  # noqa: PLC0415  (see above)
    from shopaccounts.adapters.crypto import AesVault  # noqa: PLC0415  (see above)
    from shopaccounts.adapters.qr import qr_code  # noqa: PLC0415  (see above)
    from shopaccounts.adapters.templates import JinjaTemplates  # noqa: PLC0415  (see above)
    from shopaccounts.adapters.totp import PyotpTotp  # noqa: PLC0415  (see above)

    hasher = Argon2Hasher if blocking else ThreadedArgon2Hasher
    return attrs.evolve(
        adapters,
        hasher=adapters.hasher or hasher(policies.passwords.hashing),
        vault=adapters.vault or AesVault(adapters.keyring, adapters.entropy),
        templates=adapters.templates or JinjaTemplates(),
        totp=adapters.totp or PyotpTotp(),
        qr=adapters.qr or qr_code(),
        passkeys=adapters.passkeys or (_webauthn() if policies.passkeys else None),
        id_tokens=adapters.id_tokens or _id_tokens(policies, blocking=blocking),
    )


def _id_tokens(policies: Policies, *, blocking: bool) -> SignedTokens:
    """Answer who checks signatures of providers, in a shop that chose nobody; it fails at once without the extra."""
    if not any(config.kind is ProviderKind.OIDC for config in policies.providers.enabled):
        return NoIdTokens()
    from shopaccounts.adapters.oidc import AsyncJoseTokens, JoseTokens  # noqa: PLC0415  (only such shops need it)

    return JoseTokens() if blocking else AsyncJoseTokens()


def _webauthn() -> Passkeys:
    """Answer the passkeys of a shop that chose none of its own; it fails at once without the extra."""
    from shopaccounts.adapters.passkeys import WebAuthnPasskeys  # noqa: PLC0415  (only shops with passkeys need it)

    return WebAuthnPasskeys()


def refuse_async(adapters: Adapters, scope: Scope) -> None:
    """Refuse adapters that answer later: a sync host has nobody who would wait for them."""
    if getattr(adapters.bell, "needs_a_loop", False):
        msg = f"{type(adapters.bell).__name__} needs an event loop; ShopAccounts takes a bell that works without one"
        raise Defect(msg)
    opened: tuple[tuple[object, type[Any]], ...] = (
        (adapters.storage.open(scope), Store),
        ((adapters.counters or adapters.storage).counters(scope), Counters),
        (adapters.storage.leases(scope), Leases),
        (adapters.storage, Storage),
        (adapters.keyring, Keyring),
        (adapters.vault, Vault),
        (adapters.hasher, Hasher),
        (adapters.breached_passwords, BreachedPasswords),
        (adapters.totp, Totp),
        (adapters.qr, QrCode),
        (adapters.passkeys, Passkeys),
        (adapters.risk_signals, RiskSignals),
        (adapters.id_tokens, SignedTokens),
        (adapters.templates, Templates),
        (adapters.phone_rules, PhoneRules),
        (adapters.email_syntax, EmailSyntax),
        (adapters.disposable_domains, DisposableDomains),
        (adapters.mail_domains, MailDomains),
        (adapters.confusables, Confusables),
        (adapters.human_check, HumanCheck),
        (adapters.places, Places),
        (adapters.billing.plans, Plans),
        (adapters.billing.gateway, Gateway),
        (adapters.billing.methods, PaymentMethods),
        (adapters.billing.taxes, Taxes),
        (adapters.billing.usage, Usage),
        (adapters.billing.jurisdictions, Jurisdictions),
        *((courier, Courier) for courier in adapters.couriers.values()),
        *((target, Target) for target in adapters.targets),
        *((objections, ClosingObjections) for objections in adapters.closing_objections),
    )
    for adapter, port in opened:
        for method in _methods(port):
            if inspect.iscoroutinefunction(getattr(adapter, method, None)):
                msg = f"{type(adapter).__name__}.{method} is asynchronous; ShopAccounts takes what answers at once"
                raise Defect(msg)


def refuse_blocking(adapters: Adapters) -> None:
    """Refuse adapters that would hold up the event loop of an async host."""
    chosen = (adapters.storage, adapters.counters, adapters.hasher, *adapters.couriers.values(), *adapters.targets)
    for adapter in (
        *chosen,
        adapters.breached_passwords,
        adapters.mail_domains,
        adapters.human_check,
        adapters.places,
        adapters.risk_signals,
        adapters.id_tokens,
    ):
        if getattr(adapter, "holds_up_the_loop", False):
            msg = f"{type(adapter).__name__} holds up the event loop; AsyncShopAccounts takes its asynchronous twin"
            raise Defect(msg)


def _methods(port: type[Any]) -> tuple[str, ...]:
    return tuple(name for name, member in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_"))
