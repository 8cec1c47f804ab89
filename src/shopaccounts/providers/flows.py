"""The way to a provider and back, step by step.

* A flow belongs to one browser, one provider and one intent. What links or confirms also belongs to one session.
* Each step has a text of its own that works once, for a few minutes. What has links in mind dies with the account's
  security: whoever unlinks, or changes how the account is opened, ends it.
* The provider sends the state back, and who it is where it must or says so. An answer that another provider gave is
  none. [RFC 9207; OWASP ASVS 10.1.2, 10.2.1, 10.2.2]
* What the provider says when it says no is put into few words of ours.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.tickets import Ticket
from shopaccounts.providers.errors import FlowUsed, Why
from shopaccounts.providers.model import FLOW_STEPS, FlowTrigger, ProviderFlow
from shopaccounts.providers.policy import ProviderConfig, ProviderKind

__all__ = ["advanced", "judge_response", "request_parameters", "why_denied"]

_ERRORS: Final = {
    "access_denied": Why.DENIED,
    "login_required": Why.LOGIN_NEEDED,
    "interaction_required": Why.LOGIN_NEEDED,
    "consent_required": Why.DENIED,
    "account_selection_required": Why.LOGIN_NEEDED,
    "temporarily_unavailable": Why.UNAVAILABLE,
    "server_error": Why.UNAVAILABLE,
}


def advanced(flow: ProviderFlow, trigger: FlowTrigger, spent: Ticket, following: Ticket | None = None) -> ProviderFlow:
    """Answer a flow after a step.

    Args:
        flow: As it is stored.
        trigger: What happens.
        spent: The ticket that was spent for it.
        following: The ticket of the step that comes next.

    Raises:
        FlowUsed: The step was taken before.
    """
    state = FLOW_STEPS.get((flow.state, trigger))
    if state is None:
        raise FlowUsed(spent.purpose, flow.started_at)
    kept = tuple(spent if ticket.purpose == spent.purpose else ticket for ticket in flow.tickets)
    return attrs.evolve(flow, state=state, tickets=(*kept, *((following,) if following else ())))


def request_parameters(
    config: ProviderConfig, flow: ProviderFlow, state: Secret[str], nonce: str, challenge: str
) -> Mapping[str, str]:
    """Answer what a browser takes along to the provider.

    [RFC 6749 4.1.1; RFC 7636 4.3; OpenID Connect Core 3.1.2.1]

    Args:
        config: The provider.
        flow: What begins.
        state: Its text.
        nonce: What the ID token has to bring.
        challenge: SHA-256 of the secret of PKCE.
    """
    parameters = {
        "response_type": "code",
        "client_id": config.client_id,
        "redirect_uri": config.redirect_uri,
        "scope": " ".join(config.scopes),
        "state": state.reveal(),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if config.kind is ProviderKind.OIDC:
        parameters["nonce"] = nonce
        if flow.max_age is not None:
            parameters["max_age"] = str(flow.max_age)
    if flow.account is not None:
        parameters["prompt"] = "login"
    return parameters


def judge_response(parameters: Mapping[str, str], config: ProviderConfig, providers: int) -> Why | None:
    """Answer why an answer can't be this provider's, or says no; None if it brings a code.

    Args:
        parameters: Of the callback.
        config: The provider whose callback page it is.
        providers: How many providers the shop has.
    """
    issuer = parameters.get("iss")
    is_required = config.response_iss_required or (config.announces_response_iss and providers > 1)
    if issuer is None and is_required:
        return Why.ISSUER
    if issuer is not None and config.kind is ProviderKind.OIDC and issuer not in config.issuers:
        return Why.ISSUER
    if "error" in parameters:
        return why_denied(parameters["error"])
    return None if parameters.get("code") else Why.FORM


def why_denied(error: str) -> Why:
    """Answer our word for a provider's no."""
    return _ERRORS.get(error, Why.OTHER)
