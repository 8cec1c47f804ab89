"""Which browser began something."""

import pytest

from shopaccounts.kernel.flows import bind, is_same_browser
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import FLOW_COOKIE
from shopaccounts.testing.builders import request_from
from shopaccounts.testing.doubles import ScriptedEntropy


@pytest.mark.proves("SIG-11", "KER-213")
def test_a_browser_without_a_value_gets_one_and_is_known_by_it() -> None:
    bound = bind(request_from(), ScriptedEntropy())
    (cookie,) = bound.cookies
    assert cookie.name == FLOW_COOKIE
    assert is_same_browser(request_from(browser=cookie.value), bound.digest)
    assert not is_same_browser(request_from(), bound.digest)
    assert not is_same_browser(request_from(browser=Secret("x" * 43)), bound.digest)


@pytest.mark.proves("SIG-11")
def test_one_value_holds_all_that_a_browser_begins() -> None:
    entropy = ScriptedEntropy()
    value = bind(request_from(), entropy).cookies[0].value
    again = bind(request_from(browser=value), entropy)
    assert again.cookies == ()
    assert is_same_browser(request_from(browser=value), again.digest)


@pytest.mark.parametrize("junk", ["", "short", "x" * 129, "\ud800" * 40])
def test_what_can_not_be_a_value_of_ours_is_none(junk) -> None:
    bound = bind(request_from(browser=Secret(junk)), ScriptedEntropy())
    if bound.cookies:
        assert not is_same_browser(request_from(browser=Secret(junk)), bound.digest)
    else:
        assert is_same_browser(request_from(browser=Secret(junk)), bound.digest)
