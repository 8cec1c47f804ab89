"""Will this password do?

A candidate is held to every rule of the shop's policy, and everything that is wrong with it is said at once, each
reason with what would help:

* it is long enough for what the account can reach, and not longer than the shop reads;
* it holds only characters that can be typed again on another device;
* it is not one that many people use, not a simple movement, and does not lean on words of the shop or the person;
* it is not the current one, nor one of those that the shop remembers.

A finding never holds the password or the word that it was found by. Everything the rules compare with is handed in, so
the same candidate is always judged alike. [NIST SP 800-63B-4 3.1.1.2; OWASP ASVS 6.2; RFC 8265]
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs

from shopaccounts.kernel.assurance import Level
from shopaccounts.passwords.context_words import PersonalWords, ShopWords, leans_on
from shopaccounts.passwords.freeform import refused_positions
from shopaccounts.passwords.model import Finding, FindingCode, GuidanceKey
from shopaccounts.passwords.patterns import Pattern, find_pattern
from shopaccounts.passwords.policy import MAX_BYTES, PasswordPolicy, PasswordRule
from shopaccounts.passwords.preparing import Prepared

__all__ = ["Acceptable", "PasswordContext", "Unacceptable", "breached", "findings_by", "judge"]

_BANDS: Final = (1000, 100, 10)


@attrs.frozen(kw_only=True)
class PasswordContext:
    """What a candidate is judged against, besides the policy.

    Args:
        can_reach: What the account reaches with all its factors.
        shop: Names and domains of the shop.
        person: What is known of the person.
        is_current: Whether the candidate was checked to be the current password.
        was_used_before: Whether it was checked to be one of the earlier passwords that the shop remembers.
    """

    can_reach: Level = Level.SINGLE
    shop: ShopWords = attrs.field(factory=ShopWords)
    person: PersonalWords = attrs.field(factory=PersonalWords)
    is_current: bool = False
    was_used_before: bool = False


@attrs.frozen(kw_only=True)
class Acceptable:
    """The password will do.

    Args:
        meets_single_factor_minimum: It is long enough to open the account without a second factor.
        guidance: What the person should know all the same.
    """

    meets_single_factor_minimum: bool
    guidance: tuple[GuidanceKey, ...] = ()


@attrs.frozen
class Unacceptable:
    """The password won't do, for these reasons; there is at least one."""

    findings: tuple[Finding, ...]


def judge(candidate: Prepared, about: PasswordContext, policy: PasswordPolicy) -> Acceptable | Unacceptable:
    """Hold *candidate* to every rule of *policy*.

    Args:
        candidate: The new password, as ``prepare`` answers it.
        about: The shop, the person, and what was found out about earlier passwords.
        policy: What a good password is in this shop.
    """
    findings = findings_by(policy.rules, candidate, about, policy)
    if findings:
        return Unacceptable(findings)
    return Acceptable(
        meets_single_factor_minimum=len(candidate) >= policy.min_single_factor,
        guidance=() if candidate.text.reveal().isascii() else (GuidanceKey.UNICODE_MAY_DIFFER,),
    )


def findings_by(
    rules: Iterable[PasswordRule], candidate: Prepared, about: PasswordContext, policy: PasswordPolicy
) -> tuple[Finding, ...]:
    """Answer what *rules* find wrong with *candidate*, in their order."""
    text = candidate.text.reveal()
    return tuple(finding for rule in rules for finding in _FIND[rule](text, about, policy))


def breached(count: int) -> Finding:
    """Answer the finding for a password that was seen *count* times in leaked data; only the magnitude is told."""
    band = next((band for band in _BANDS if count >= band), 1)
    return Finding(
        FindingCode.BREACHED,
        {"count_band": band},
        (GuidanceKey.SEEN_IN_BREACH_ELSEWHERE, GuidanceKey.CHANGE_IT_THERE_TOO, GuidanceKey.USE_PASSWORD_MANAGER),
    )


def _length(text: str, about: PasswordContext, policy: PasswordPolicy) -> Iterator[Finding]:
    minimum = policy.minimum(about.can_reach)
    if len(text) < minimum:
        facts = {"min": minimum, "missing": minimum - len(text)}
        yield Finding(FindingCode.TOO_SHORT, facts, (GuidanceKey.ADD_LENGTH, GuidanceKey.USE_SEVERAL_WORDS))
    if len(text) > policy.max_length or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        facts = {"max": policy.max_length, "max_bytes": MAX_BYTES}
        yield Finding(FindingCode.TOO_LONG, facts, (GuidanceKey.USE_SEVERAL_WORDS,))


def _characters(text: str, _about: PasswordContext, _policy: PasswordPolicy) -> Iterator[Finding]:
    if positions := refused_positions(text):
        facts = {"positions": ",".join(map(str, positions))}
        guidance = (GuidanceKey.UNICODE_MAY_DIFFER, GuidanceKey.USE_SEVERAL_WORDS)
        yield Finding(FindingCode.CHARACTERS_NOT_ALLOWED, facts, guidance)


def _common(text: str, _about: PasswordContext, policy: PasswordPolicy) -> Iterator[Finding]:
    if policy.common_list.holds(text):
        guidance = (GuidanceKey.CHOOSE_UNRELATED_WORDS, GuidanceKey.USE_PASSWORD_MANAGER)
        yield Finding(FindingCode.COMMON, {}, guidance)


def _pattern(text: str, _about: PasswordContext, _policy: PasswordPolicy) -> Iterator[Finding]:
    if pattern := find_pattern(text):
        guidance = (_INSTEAD_OF[pattern], GuidanceKey.USE_SEVERAL_WORDS)
        yield Finding(FindingCode.PATTERN, {"kind": pattern.value}, guidance)


def _context(text: str, about: PasswordContext, policy: PasswordPolicy) -> Iterator[Finding]:
    of_shop, of_person = about.shop.words(policy.context_words), about.person.words()
    if found := leans_on(text, of_shop | of_person):
        shop = (GuidanceKey.AVOID_SHOP_NAME,) if found & of_shop else ()
        person = (GuidanceKey.AVOID_OWN_DETAILS,) if found & of_person else ()
        yield Finding(FindingCode.CONTEXT_WORD, {}, (*shop, *person, GuidanceKey.CHOOSE_UNRELATED_WORDS))


def _history(_text: str, about: PasswordContext, _policy: PasswordPolicy) -> Iterator[Finding]:
    guidance = (GuidanceKey.CHOOSE_UNRELATED_WORDS, GuidanceKey.USE_PASSWORD_MANAGER)
    if about.is_current:
        yield Finding(FindingCode.SAME_AS_CURRENT, {}, guidance)
    if about.was_used_before:
        yield Finding(FindingCode.USED_BEFORE, {}, guidance)


_INSTEAD_OF: Final = {
    Pattern.REPEAT: GuidanceKey.AVOID_REPEATS,
    Pattern.RUN: GuidanceKey.AVOID_SEQUENCES,
    Pattern.KEYBOARD: GuidanceKey.AVOID_SEQUENCES,
    Pattern.DATE: GuidanceKey.AVOID_OWN_DETAILS,
}
_FIND: Final[dict[PasswordRule, Callable[[str, PasswordContext, PasswordPolicy], Iterator[Finding]]]] = {
    PasswordRule.LENGTH: _length,
    PasswordRule.CHARACTERS: _characters,
    PasswordRule.COMMON: _common,
    PasswordRule.PATTERN: _pattern,
    PasswordRule.CONTEXT: _context,
    PasswordRule.HISTORY: _history,
}
