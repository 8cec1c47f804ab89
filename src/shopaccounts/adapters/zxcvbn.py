"""A meter that knows more: ratings by zxcvbn, which guesses as an attacker would.

It guides and never decides, like the library's own meter, and is called like it. The package refuses more than 72
characters, so the first 72 are rated. Its convenience function reads the clock and leaves the person's words in a table
that all threads share, so it isn't used; its matching and scoring are, with a table for each call.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from shopaccounts.adapters.extras import require_extra
from shopaccounts.passwords.judging import PasswordContext
from shopaccounts.passwords.meter import Strength
from shopaccounts.passwords.model import GuidanceKey
from shopaccounts.passwords.policy import PasswordPolicy
from shopaccounts.passwords.preparing import Prepared

__all__ = ["ZxcvbnMeter"]

_RATED: Final = 72
_BEST: Final = 4
_HELPS: Final = {
    "dictionary": GuidanceKey.CHOOSE_UNRELATED_WORDS,
    "spatial": GuidanceKey.AVOID_SEQUENCES,
    "sequence": GuidanceKey.AVOID_SEQUENCES,
    "repeat": GuidanceKey.AVOID_REPEATS,
    "date": GuidanceKey.AVOID_OWN_DETAILS,
    "regex": GuidanceKey.AVOID_OWN_DETAILS,
}
_OWN: Final = {"shop": GuidanceKey.AVOID_SHOP_NAME, "person": GuidanceKey.AVOID_OWN_DETAILS}


class ZxcvbnMeter:
    """Rates what is typed for a page's meter.

    Raises:
        ExtraMissing: The extra ``zxcvbn`` isn't installed.
    """

    def __init__(self) -> None:
        require_extra("zxcvbn", self, "zxcvbn")

    def rate(self, candidate: Prepared, about: PasswordContext, policy: PasswordPolicy) -> Strength:
        """Rate the first 72 characters of *candidate* from 0 (guessed first) to 4.

        Args:
            candidate: What was typed so far.
            about: The shop and the person, whose words count as tried first.
            policy: Holds the shop's further words.
        """
        from zxcvbn import scoring, time_estimates  # noqa: PLC0415  (optional)

        text = candidate.text.reveal()[:_RATED]
        if not text:
            return Strength(0, (GuidanceKey.ADD_LENGTH, GuidanceKey.USE_SEVERAL_WORDS))
        found = _matches(text, shop=about.shop.words(policy.context_words), person=about.person.words())
        result = scoring.most_guessable_match_sequence(text, found)
        score = time_estimates.guesses_to_score(result["guesses"])
        return Strength(score, () if score == _BEST else _guidance(result["sequence"]))


def _matches(text: str, **words: Iterable[str]) -> Any:
    from zxcvbn import matching  # noqa: PLC0415  (optional)

    own = {name: matching.build_ranked_dict(sorted(word.lower() for word in each)) for name, each in words.items()}
    return matching.omnimatch(text, {**matching.RANKED_DICTIONARIES, **own})


def _guidance(sequence: Iterable[Mapping[str, Any]]) -> tuple[GuidanceKey, ...]:
    helps = [
        _OWN.get(match.get("dictionary_name", ""), _HELPS[match["pattern"]])
        for match in sequence
        if match["pattern"] in _HELPS
    ]
    return tuple(dict.fromkeys([*helps, GuidanceKey.ADD_LENGTH, GuidanceKey.USE_SEVERAL_WORDS]))
