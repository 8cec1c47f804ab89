"""What a shop decides: its policies, and the adapters that it runs on."""

from collections.abc import Mapping

import attrs

from shopaccounts.customers import ClosingObjections, LifecyclePolicy, NoticePolicy
from shopaccounts.kernel.chance import Entropy, SystemEntropy
from shopaccounts.kernel.desk import Bell
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import PhonePolicy, PhoneRules
from shopaccounts.kernel.ports import OpensCounters, Storage
from shopaccounts.kernel.request import TransportPolicy
from shopaccounts.kernel.sending import SendPolicy
from shopaccounts.kernel.staff import Agents, NoAgents
from shopaccounts.kernel.time import Clock, SystemClock
from shopaccounts.kernel.vault import Keyring, Vault
from shopaccounts.passwords import BreachedPasswords, Hasher, PasswordPolicy
from shopaccounts.providers import ProviderPolicy, SignedTokens
from shopaccounts.recovery import CasePolicy, ResetPolicy, SecurityQuestionsPolicy
from shopaccounts.registration import (
    AccountRequirementPolicy,
    Confusables,
    ContactChangePolicy,
    ContactUses,
    DisposableDomains,
    EmailSyntax,
    HumanCheck,
    MailDomains,
    RegistrationPolicy,
)
from shopaccounts.relay import Courier, RelayPolicy, Target, Templates
from shopaccounts.signin import (
    AttemptPolicy,
    CodeSignInPolicy,
    DevicePolicy,
    ImpersonationPolicy,
    NoPlaces,
    NoRiskSignals,
    PasskeyPolicy,
    Passkeys,
    Places,
    QrCode,
    RecoveryCodePolicy,
    RiskSignals,
    SecondFactorPolicy,
    SessionPolicy,
    StepUpPolicy,
    Totp,
    TotpPolicy,
)
from shopaccounts.subscriptions import BillingPorts, SubscriptionPolicy

__all__ = ["Adapters", "Policies"]


@attrs.frozen(kw_only=True)
class Policies:
    """What differs between shops; every default cites its source."""

    registration: RegistrationPolicy = attrs.field(factory=RegistrationPolicy)
    requirements: AccountRequirementPolicy = attrs.field(factory=AccountRequirementPolicy)
    contact_changes: ContactChangePolicy = attrs.field(factory=ContactChangePolicy)
    passwords: PasswordPolicy = attrs.field(factory=PasswordPolicy)
    sessions: SessionPolicy = attrs.field(factory=SessionPolicy)
    step_up: StepUpPolicy = attrs.field(factory=StepUpPolicy)
    code_sign_in: CodeSignInPolicy = attrs.field(factory=CodeSignInPolicy)
    second_factor: SecondFactorPolicy = attrs.field(factory=SecondFactorPolicy)
    totp: TotpPolicy = attrs.field(factory=TotpPolicy)
    recovery_codes: RecoveryCodePolicy = attrs.field(factory=RecoveryCodePolicy)
    passkeys: PasskeyPolicy | None = None
    impersonation: ImpersonationPolicy = attrs.field(factory=ImpersonationPolicy)
    attempts: AttemptPolicy = attrs.field(factory=AttemptPolicy)
    devices: DevicePolicy = attrs.field(factory=DevicePolicy)
    sends: SendPolicy = attrs.field(factory=SendPolicy)
    phones: PhonePolicy = attrs.field(factory=PhonePolicy)
    providers: ProviderPolicy = attrs.field(factory=ProviderPolicy)
    resets: ResetPolicy = attrs.field(factory=ResetPolicy)
    questions: SecurityQuestionsPolicy = attrs.field(factory=SecurityQuestionsPolicy)
    cases: CasePolicy = attrs.field(factory=CasePolicy)
    lifecycle: LifecyclePolicy = attrs.field(factory=LifecyclePolicy)
    notices: NoticePolicy = attrs.field(factory=NoticePolicy)
    subscriptions: SubscriptionPolicy = attrs.field(factory=SubscriptionPolicy)
    relay: RelayPolicy = attrs.field(factory=RelayPolicy)
    transport: TransportPolicy = attrs.field(factory=TransportPolicy)

    def __attrs_post_init__(self) -> None:
        self.requirements.check_open(self.registration.open_to)
        self.providers.check_fields(frozenset(self.registration.fields))


@attrs.frozen(kw_only=True)
class Adapters:
    """What differs between deployments.

    Args:
        storage: Keeps the shop's books.
        keyring: Where keys come from.
        couriers: Who takes the messages of each channel.
        hasher: Keeps passwords; None takes Argon2id with the policy's cost.
        vault: Seals secrets; None takes AES-256-GCM with the keyring's keys.
        templates: Words messages; None takes the library's own texts.
        counters: Where attempts are counted; None counts them in the storage.
        targets: Who hears of events.
        closing_objections: What each part of the shop knows that matters when an account is closed.
        agents: Knows what the shop's own people may do; nobody may do anything unless the host says so.
        phone_rules: Knows numbering plans; None takes numbers in international form only.
        email_syntax: A second opinion on addresses; None has none.
        disposable_domains: Knows domains of throw-away addresses; None knows none.
        mail_domains: Knows which domains take mail; None doesn't ask.
        confusables: Knows which user names look alike; None compares them as they are.
        human_check: A puzzle that only people solve; None asks for none.
        contact_uses: Knows what else writes to a contact; None knows nothing.
        totp: Knows the codes of apps; None takes pyotp.
        passkeys: Knows WebAuthn; None takes webauthn, if the policy has passkeys.
        qr: Draws what apps read by camera; None takes segno where it is installed, else draws nothing.
        risk_signals: Knows what networks say about phone numbers; the default knows nothing.
        breached_passwords: Knows passwords that were seen in leaked data; None knows none.
        places: Knows about where an address is; the default knows no place.
        bell: Wakes the relay after a change; None delivers in the background.
        billing: What subscriptions ask of the outside: plans, taxes, a gateway; the default sells nothing.
        id_tokens: Checks signatures of providers; None takes joserfc, if the policy has providers.
        clock, entropy: None takes the system's.
    """

    storage: Storage
    keyring: Keyring
    couriers: Mapping[Channel, Courier] = attrs.field(factory=dict)
    hasher: Hasher | None = None
    vault: Vault | None = None
    templates: Templates | None = None
    counters: OpensCounters | None = None
    targets: tuple[Target, ...] = ()
    bell: Bell | None = None
    closing_objections: tuple[ClosingObjections, ...] = ()
    agents: Agents = attrs.field(factory=NoAgents)
    places: Places = attrs.field(factory=NoPlaces)
    phone_rules: PhoneRules | None = None
    email_syntax: EmailSyntax | None = None
    disposable_domains: DisposableDomains | None = None
    mail_domains: MailDomains | None = None
    confusables: Confusables | None = None
    human_check: HumanCheck | None = None
    contact_uses: ContactUses | None = None
    breached_passwords: BreachedPasswords | None = None
    totp: Totp | None = None
    passkeys: Passkeys | None = None
    qr: QrCode | None = None
    risk_signals: RiskSignals = attrs.field(factory=NoRiskSignals)
    id_tokens: SignedTokens | None = None
    billing: BillingPorts = attrs.field(factory=BillingPorts)
    clock: Clock = attrs.field(factory=SystemClock)
    entropy: Entropy = attrs.field(factory=SystemEntropy)
