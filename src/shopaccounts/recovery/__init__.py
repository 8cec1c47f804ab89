"""Lost the password? Back in, by a way that a thief can't walk faster than the owner.

Whoever asks is told the same, whether or not there is an account. The link goes to the address that the owner proved,
never to what was typed. It sets a new password, once, ends every session, tells every address we know, and signs nobody
in.
"""

from shopaccounts.recovery.answering import Answering, Answers, Questions
from shopaccounts.recovery.case_answers import (
    CancelOffer,
    CaseOpened,
    CaseSummary,
    FactorCaseOpened,
    FactorsWereRemoved,
    MailboxRecovered,
    MailboxRecoveryStarted,
)
from shopaccounts.recovery.case_help import CaseHelp
from shopaccounts.recovery.case_proofs import CaseProofs
from shopaccounts.recovery.case_steps import CaseSteps
from shopaccounts.recovery.cases import (
    CASE_STEPS,
    CASES,
    CaseState,
    CaseTrigger,
    RecoveryCase,
)
from shopaccounts.recovery.errors import (
    AgentNotAllowed,
    AnswerFinding,
    AnswersUnacceptable,
    AnswersWrong,
    CaseClosed,
    CaseNotReady,
    EvidenceInsufficient,
    ProofsMissing,
    QuestionsNotOffered,
    ResetLinkExpired,
    ResetLinkInvalid,
    ResetLinkStale,
    ResetLinkUsed,
)
from shopaccounts.recovery.factor_proofs import FactorProofs
from shopaccounts.recovery.lost_factor import LostFactor
from shopaccounts.recovery.lost_mailbox import Cases
from shopaccounts.recovery.model import STOP_NOTICES, PasswordWasReset, Question, RecentAddition, ResetOffer, ResetSent
from shopaccounts.recovery.objecting import Repudiations
from shopaccounts.recovery.objections import ObjectionOffer, Objections
from shopaccounts.recovery.policy import CasePolicy, ResetPolicy, SecondFactorAt, SecurityQuestionsPolicy
from shopaccounts.recovery.proof_sets import (
    PROOF_SETS,
    CaseKind,
    Evidence,
    EvidenceKind,
    ProofSet,
    Shown,
)
from shopaccounts.recovery.questions import QUESTIONS, AnswerProblem, SecurityQuestions
from shopaccounts.recovery.reset_requests import ResetRequests
from shopaccounts.recovery.reset_second import ResetSecond
from shopaccounts.recovery.resetting import Resetting
from shopaccounts.recovery.usecases import Recovery

__all__ = [
    "CASES",
    "CASE_STEPS",
    "PROOF_SETS",
    "QUESTIONS",
    "STOP_NOTICES",
    "AgentNotAllowed",
    "AnswerFinding",
    "AnswerProblem",
    "Answering",
    "Answers",
    "AnswersUnacceptable",
    "AnswersWrong",
    "CancelOffer",
    "CaseClosed",
    "CaseHelp",
    "CaseKind",
    "CaseNotReady",
    "CaseOpened",
    "CasePolicy",
    "CaseProofs",
    "CaseState",
    "CaseSteps",
    "CaseSummary",
    "CaseTrigger",
    "Cases",
    "Evidence",
    "EvidenceInsufficient",
    "EvidenceKind",
    "FactorCaseOpened",
    "FactorProofs",
    "FactorsWereRemoved",
    "LostFactor",
    "MailboxRecovered",
    "MailboxRecoveryStarted",
    "ObjectionOffer",
    "Objections",
    "PasswordWasReset",
    "ProofSet",
    "ProofsMissing",
    "Question",
    "Questions",
    "QuestionsNotOffered",
    "RecentAddition",
    "Recovery",
    "RecoveryCase",
    "Repudiations",
    "ResetLinkExpired",
    "ResetLinkInvalid",
    "ResetLinkStale",
    "ResetLinkUsed",
    "ResetOffer",
    "ResetPolicy",
    "ResetRequests",
    "ResetSecond",
    "ResetSent",
    "Resetting",
    "SecondFactorAt",
    "SecurityQuestions",
    "SecurityQuestionsPolicy",
    "Shown",
]
