"""Nothing secret is taken over a line that anybody can read: no use-case that serves a request does its work there."""

import inspect

import pytest

from shopaccounts.kernel.errors import InsecureTransport
from shopaccounts.kernel.secret import Secret
from shopaccounts.recovery import SecurityQuestionsPolicy
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from
from shopaccounts.testing.faces import use_cases

OPEN = request_from(secure=False)
SERVING = [one for one in use_cases() if one.serves_a_request]
LINK_OF = {"confirm_account_closing": "cls", "peek_account_closing": "cls"}
"""Which links are read before the session is, whose line is looked at then."""


def anything(parameter, purpose):
    """Something of the right kind, which no shop knows."""
    annotation = str(parameter.annotation)
    if "Secret" in annotation:
        return Secret(f"sa1.{purpose}.{'a' * 22}.{'b' * 43}")
    if "Mapping" in annotation:
        return {}
    return ("text",) if "Collection" in annotation else "text"


@pytest.mark.proves("KER-212")
@pytest.mark.parametrize("one", SERVING, ids=str)
async def test_no_use_case_takes_a_request_over_an_open_line(host, one) -> None:
    policies = quick_policies(questions=SecurityQuestionsPolicy(enabled=True, accept_risk=True))
    shop = ShopBuilder(host=host, policies=policies).build()
    needed = (parameter for parameter in one.parameters if parameter.default is inspect.Parameter.empty)
    arguments = {named.name: anything(named, LINK_OF.get(one.name, "rst")) for named in needed}
    with pytest.raises(InsecureTransport):
        await getattr(getattr(shop, one.face), one.name)(**arguments, context=OPEN)
