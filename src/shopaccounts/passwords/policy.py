"""What a shop may decide about passwords, and what it may not.

A shop sets lengths, extra words that are too easy to guess, and the cost of a hash. It can't demand digits or capitals,
make passwords expire, or ask for hints: there are no fields for that, because such rules make people choose worse
passwords. [NIST SP 800-63B-4 3.1.1.2]
"""

from datetime import timedelta
from enum import Enum
from typing import Final

import attrs
from attrs.validators import deep_iterable, instance_of, optional

from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.policy import Deviation, require
from shopaccounts.kernel.text import CAPS
from shopaccounts.passwords.common import BUILT_IN, CommonPasswords

__all__ = [
    "MAX_BYTES",
    "MAX_LANES",
    "MAX_MEMORY_KIB",
    "MAX_PASSES",
    "Argon2Profile",
    "BreachPolicy",
    "OnOutage",
    "PasswordPolicy",
    "PasswordRule",
]

MAX_BYTES: Final = 1024
"""No password is longer than this in UTF-8. [OWASP Cheat Sheet, long-password denial of service]"""
MAX_MEMORY_KIB: Final = 256 * 1024
"""A stored hash that asks for more memory than this is not computed."""
MAX_PASSES: Final = 10
"""A stored hash that asks for more passes than this is not computed."""
MAX_LANES: Final = 16
"""A stored hash that asks for more lanes than this is not computed."""

_LOWEST_MINIMUM: Final = 8
_NIST_MINIMUM: Final = 15
_LOWEST_MAXIMUM: Final = 64
_LONGEST_HISTORY: Final = 10
_LONGEST_WAIT: Final = timedelta(seconds=10)
_SHORTEST_REMINDER: Final = timedelta(days=30)
_KIB_A_LANE: Final = 8
_FLOORS: Final = {1: 47_104, 2: 19_456}
_FLOOR_OF_MORE_PASSES: Final = 12_288


class PasswordRule(Enum):
    """The rules a new password can be held to; there is no rule about kinds of characters."""

    LENGTH = "length"
    CHARACTERS = "characters"
    COMMON = "common"
    PATTERN = "pattern"
    CONTEXT = "context"
    HISTORY = "history"


_ALWAYS: Final = frozenset({PasswordRule.LENGTH, PasswordRule.CHARACTERS, PasswordRule.HISTORY})
_MAY_BE_LEFT_OUT: Final = {
    PasswordRule.COMMON: Deviation("ASVS 6.2.4", "common passwords are accepted"),
    PasswordRule.PATTERN: Deviation("NIST 3.1.1.2", "repetitions and sequences are accepted"),
    PasswordRule.CONTEXT: Deviation("ASVS 6.2.11", "the shop's and the person's own words are accepted"),
}


@attrs.frozen(kw_only=True)
class Argon2Profile:
    """How much work one Argon2id hash is: the price of every guess at a stolen database.

    A cost below the floors of OWASP ASVS 5.0 appendix C is refused: one pass needs 47,104 KiB, two need 19,456 KiB,
    three or more need 12,288 KiB. A cost above what is computed for stored hashes is refused as well.

    Args:
        memory_kib: Memory of one hash, in KiB.
        passes: How often the memory is gone through.
        lanes: How many threads one hash can use.
        for_tests: Leave the floors out. Such a profile protects nobody, and no assurance profile accepts it.

    Why these defaults:
        lanes: one, as in every setting that the OWASP Password Storage Cheat Sheet names.
        for_tests: no: the floors hold wherever people's passwords are kept.

    Raises:
        BadPolicy: The cost is too low or too high.
    """

    memory_kib: int = attrs.field(validator=instance_of(int))
    passes: int = attrs.field(validator=instance_of(int))
    lanes: int = attrs.field(default=1, validator=instance_of(int))
    for_tests: bool = attrs.field(default=False, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        require(1 <= self.passes <= MAX_PASSES, f"a hash takes 1 to {MAX_PASSES} passes")
        require(1 <= self.lanes <= MAX_LANES, f"a hash has 1 to {MAX_LANES} lanes")
        require(self.memory_kib <= MAX_MEMORY_KIB, f"a hash takes at most {MAX_MEMORY_KIB} KiB")
        require(self.memory_kib >= _KIB_A_LANE * self.lanes, "a hash takes at least 8 KiB for each lane [RFC 9106 3.1]")
        floor = 0 if self.for_tests else _FLOORS.get(self.passes, _FLOOR_OF_MORE_PASSES)
        require(self.memory_kib >= floor, f"{self.passes} passes need at least {floor} KiB [ASVS appendix C]")

    @classmethod
    def owasp_46mib(cls) -> "Argon2Profile":
        """Answer 46 MiB, one pass, one lane, for shops (OWASP Password Storage Cheat Sheet, ASVS app. C)."""
        return cls(memory_kib=47_104, passes=1)

    @classmethod
    def owasp_19mib(cls) -> "Argon2Profile":
        """Answer 19 MiB, two passes, one lane, for small hosts (OWASP Password Storage Cheat Sheet, ASVS app. C)."""
        return cls(memory_kib=19_456, passes=2)

    @classmethod
    def rfc9106_low_memory(cls) -> "Argon2Profile":
        """Answer 64 MiB, three passes, four lanes, for hosts with cores to spare (RFC 9106 section 4)."""
        return cls(memory_kib=65_536, passes=3, lanes=4)

    @classmethod
    def tests_only(cls) -> "Argon2Profile":
        """Answer 8 KiB and one pass, for tests that hash a thousand times; never for people's passwords."""
        return cls(memory_kib=8, passes=1, for_tests=True)


class OnOutage(Enum):
    """What follows if the list of leaked passwords doesn't answer."""

    ACCEPT_AND_FLAG = "accept_and_flag"
    REFUSE = "refuse"


@attrs.frozen(kw_only=True)
class BreachPolicy:
    """How the list of leaked passwords is asked.

    Args:
        min_count: How often a password was seen, at least, to be refused.
        timeout: How long the list is waited for.
        on_outage: Accept the password, remember that it is unchecked and ask again later; or refuse it for now.
        at_sign_in: Ask at sign-in too, after the right password.

    Why these defaults:
        min_count: 1: any password that leaked is in the lists that attackers try. [ASVS 6.2.12]
        timeout: 2 seconds; of the house. The list answers within a fraction of that or not at all.
        on_outage: accept and flag: an outage of somebody else closes no shop, and the check is made up for.
        at_sign_in: yes: a password can leak long after it was chosen. [NIST SP 800-63B-4 3.1.1.2(6)]

    Raises:
        BadPolicy: A count below 1, or a timeout that is not more than nothing and at most 10 seconds.
        TypeError: A value of the wrong type.
    """

    min_count: int = attrs.field(default=1, validator=instance_of(int))
    timeout: timedelta = attrs.field(default=timedelta(seconds=2), validator=instance_of(timedelta))
    on_outage: OnOutage = attrs.field(default=OnOutage.ACCEPT_AND_FLAG, validator=instance_of(OnOutage))
    at_sign_in: bool = attrs.field(default=True, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        require(self.min_count >= 1, "a password that was never seen has not leaked")
        require(timedelta(0) < self.timeout <= _LONGEST_WAIT, "a person waits 10 seconds for the list at most")


@attrs.frozen(kw_only=True)
class PasswordPolicy:
    """What a good password is in this shop.

    Why these defaults:
        min_single_factor: 15 characters where the password alone opens the account. [NIST SP 800-63B-4 3.1.1.2(1)]
        min_with_second_factor: 8 characters where a factor other than e-mail is asked for too. [NIST 3.1.1.2(1)]
        max_length: 256 characters (and 1,024 bytes): far above the 64 that must be accepted, low enough that nobody
            can keep the shop busy with endless passwords. [NIST 3.1.1.2(2); OWASP Authentication Cheat Sheet]
        rules: all six. Length, characters and history can't be left out. [NIST 3.1.1.2; ASVS 6.2]
        common_list: the built-in list of frequent passwords, in two tiers of length. [ASVS 6.2.4]
        context_words: none; name your product lines. Names and domains of the shop, and what is known of the person,
            are always looked at. [ASVS 6.2.11]
        breach: asked with ``BreachPolicy()`` wherever a list is connected; None asks nobody. [ASVS 6.2.12]
        history: 0 earlier passwords (at most 10): making people rotate passwords is not wanted, so there is little to
            remember. The current one is always refused. [NIST 3.1.1.2(6)]
        hashing: Argon2id with 46 MiB and one pass. [ASVS appendix C; OWASP Password Storage Cheat Sheet]
        pepper: no: it protects only where the keyring is kept apart from the database, which is for the shop to say.
            With it every hash lies sealed. [NIST 3.1.1.2: a keyed hash as a further step]
        remind_after: never: age is no reason to change a password. A shop that wants to remind people of an old one
            names the period, at least 30 days, of the house. [NIST 3.1.1.2(6)]

    Lengths count code points of the composed form (NFC).

    Raises:
        BadPolicy: A minimum below 8, a maximum below 64, a minimum with second factor above the one without, a rule
            that does not exist (such as one about kinds of characters), or a history above 10.
        TypeError: A value of the wrong type.
    """

    min_single_factor: int = attrs.field(default=_NIST_MINIMUM, validator=instance_of(int))
    min_with_second_factor: int = attrs.field(default=_LOWEST_MINIMUM, validator=instance_of(int))
    max_length: int = attrs.field(default=256, validator=instance_of(int))
    rules: tuple[PasswordRule, ...] = attrs.field(default=tuple(PasswordRule), validator=instance_of(tuple))
    common_list: CommonPasswords = BUILT_IN
    context_words: tuple[str, ...] = attrs.field(
        default=(), validator=deep_iterable(instance_of(str), instance_of(tuple))
    )
    breach: BreachPolicy | None = attrs.field(factory=BreachPolicy, validator=optional(instance_of(BreachPolicy)))
    history: int = attrs.field(default=0, validator=instance_of(int))
    hashing: Argon2Profile = attrs.field(factory=Argon2Profile.owasp_46mib, validator=instance_of(Argon2Profile))
    pepper: bool = attrs.field(default=False, validator=instance_of(bool))
    remind_after: timedelta | None = attrs.field(default=None, validator=optional(instance_of(timedelta)))

    def __attrs_post_init__(self) -> None:
        self._check_lengths()
        require(all(isinstance(rule, PasswordRule) for rule in self.rules), "rules are values of PasswordRule")
        require(len(set(self.rules)) == len(self.rules), "each rule is named once")
        require(set(self.rules) >= _ALWAYS, "length, characters and history always count")
        require(0 <= self.history <= _LONGEST_HISTORY, f"history remembers 0 to {_LONGEST_HISTORY} passwords")
        seldom = self.remind_after is None or self.remind_after >= _SHORTEST_REMINDER
        require(seldom, "people are reminded once in 30 days at most")

    def _check_lengths(self) -> None:
        require(self.min_with_second_factor >= _LOWEST_MINIMUM, "no minimum below 8 characters [NIST 3.1.1.2(1)]")
        require(self.min_with_second_factor <= self.min_single_factor, "a second factor never makes the minimum longer")
        require(self.max_length >= _LOWEST_MAXIMUM, "at least 64 characters are accepted [NIST 3.1.1.2(2)]")
        require(self.min_single_factor <= self.max_length, "the minimum stays below the maximum")
        require(self.max_length <= CAPS["password"], f"nothing longer than {CAPS['password']} characters is read")

    @classmethod
    def shop_default(cls) -> "PasswordPolicy":
        """Answer the policy for shops: every default as it stands."""
        return cls()

    @classmethod
    def eight_characters(cls) -> "PasswordPolicy":
        """Answer the policy that accepts 8 characters without a second factor.

        It meets OWASP ASVS 6.2.1 and does not meet NIST SP 800-63B-4 3.1.1.2(1); ``deviations`` says so.
        """
        return cls(min_single_factor=_LOWEST_MINIMUM)

    def minimum(self, can_reach: Level) -> int:
        """Answer the shortest acceptable length, in code points.

        Args:
            can_reach: What the account reaches with all its factors; MULTI is never reached by e-mail.
        """
        return self.min_with_second_factor if can_reach >= Level.MULTI else self.min_single_factor

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """Where this policy is weaker than a standard asks for."""
        short = Deviation("NIST 3.1.1.2(1)", f"{self.min_single_factor} characters do without a second factor")
        left_out = tuple(weaker for rule, weaker in _MAY_BE_LEFT_OUT.items() if rule not in self.rules)
        unasked = () if self.breach else (Deviation("ASVS 6.2.12", "leaked passwords are accepted"),)
        age = Deviation("NIST 3.1.1.2(6)", "people are reminded that a password is old")
        aged = (age,) if self.remind_after else ()
        return ((short,) if self.min_single_factor < _NIST_MINIMUM else ()) + left_out + unasked + aged
