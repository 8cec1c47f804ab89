"""How this context says no."""

from datetime import datetime

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = [
    "AgentNotAllowed",
    "AnswerFinding",
    "AnswersUnacceptable",
    "AnswersWrong",
    "CaseClosed",
    "CaseNotReady",
    "EvidenceInsufficient",
    "ProofsMissing",
    "QuestionsNotOffered",
    "ResetLinkExpired",
    "ResetLinkInvalid",
    "ResetLinkStale",
    "ResetLinkUsed",
]


class ResetLinkInvalid(LinkInvalid):
    """No reset waits for this link."""

    code = "recovery.link_invalid"


class ResetLinkExpired(LinkExpired):
    """The reset link's time is over."""

    code = "recovery.link_expired"


class ResetLinkUsed(LinkUsed):
    """The reset link was used before."""

    code = "recovery.link_used"


class ResetLinkStale(LinkStale):
    """Something about the account has changed since the link was sent, or its owner has signed in."""

    code = "recovery.link_stale"


@attrs.frozen
class ProofsMissing(Rejected):
    """It takes more than was given; ``needed`` names what."""

    code = "recovery.proofs_missing"
    kind = Kind.UNAUTHENTICATED
    needed: tuple[str, ...]


@attrs.frozen
class AnswersWrong(Rejected):
    """Those are not the answers; it isn't told which."""

    code = "recovery.answers_wrong"
    kind = Kind.UNAUTHENTICATED


@attrs.frozen
class AnswerFinding:
    """One thing that is wrong with a new answer; never the answer.

    Args:
        question: Whose answer; None for all of them together.
        problem: What is wrong.
    """

    question: str | None
    problem: str


@attrs.frozen
class AnswersUnacceptable(Rejected):
    """The new answers won't do; each finding says why."""

    code = "recovery.answers_unacceptable"
    kind = Kind.INVALID
    findings: tuple[AnswerFinding, ...]


@attrs.frozen
class QuestionsNotOffered(Rejected):
    """This shop has no security questions."""

    code = "recovery.questions_not_offered"
    kind = Kind.FORBIDDEN


@attrs.frozen
class CaseNotReady(Rejected):
    """A case is open that can be completed from *earliest_at* on; until then everybody concerned may say no."""

    code = "recovery.case_not_ready"
    kind = Kind.CONFLICT
    earliest_at: datetime


@attrs.frozen
class CaseClosed(Rejected):
    """There is no open case: *state* tells how the last one ended, ``none`` that there was none."""

    code = "recovery.case_closed"
    kind = Kind.GONE
    state: str


@attrs.frozen
class AgentNotAllowed(Rejected):
    """Not this agent: it takes a second one, or the account is out of bounds for agents."""

    code = "recovery.agent_not_allowed"
    kind = Kind.FORBIDDEN


@attrs.frozen
class EvidenceInsufficient(Rejected):
    """Too little of what was checked turned out right to vouch for somebody."""

    code = "recovery.evidence_insufficient"
    kind = Kind.INVALID
