"""Passkeys in Chromium, through the pages and the script of the example shops.

`make browser` runs this; it is no part of `make test`, which needs no browser.
"""

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.proves("EXM-6")
NO_PASSKEY = "Your browser used no passkey. You can try again."


def test_a_customer_signs_up_adds_a_passkey_and_signs_in_with_it(ann: Any, device: Any) -> None:
    ann.signs_up()
    codes = ann.adds_passkey("My laptop")
    assert len(codes) == 10
    [kept] = device.passkeys
    assert (kept["rpId"], kept["isResidentCredential"]) == ("localhost", True)

    ann.signs_out()
    page = ann.opens_door_without_touching(device)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/account")
    [used] = device.passkeys
    assert used["signCount"] > kept["signCount"]

    listed = ann.opens("/account/security")
    expect(listed.get_by_role("listitem").filter(has_text="My laptop")).to_contain_text("last used")
    sessions = ann.opens("/account/sessions")
    expect(sessions.get_by_role("row").filter(has_text="This browser")).to_have_count(1)
    expect(sessions.get_by_role("row")).to_have_count(2)  # the head, and the one that is signed in


def test_the_browser_suggests_the_passkey_beside_the_field_for_the_address(ann: Any, device: Any) -> None:
    ann.signs_up()
    ann.adds_passkey()
    ann.signs_out()
    ann.page.goto(f"{ann.url}/sign-in", wait_until="commit")
    ann.page.wait_for_url("**/account")  # the device takes the suggestion at once; no button of the page was pressed
    assert device.passkeys[0]["signCount"] > 1


def test_a_passkey_is_the_second_step_after_a_password(ann: Any, device: Any) -> None:
    ann.signs_up()
    [first, *_] = ann.adds_passkey()
    ann.signs_out()
    ann.types_password(device)
    ann.page.get_by_role("button", name="Use a passkey").click()
    ann.page.wait_for_url("**/account")

    ann.signs_out()
    ann.types_password(device)
    ann.page.get_by_label("One of your recovery codes").fill(first)
    ann.page.get_by_role("button", name="Go on").click()
    ann.page.wait_for_url("**/account")
    expect(ann.opens("/account/security").get_by_text("You have 9 left")).to_be_visible()


def test_a_key_that_cannot_tell_who_touches_it_is_a_second_step_and_no_way_in(ann: Any, simple_device: Any) -> None:
    ann.signs_up()
    ann.adds_passkey("A key without a fingerprint")
    ann.signs_out()
    page = ann.opens_door_without_touching(simple_device)  # Chromium lets such a key answer only where it was named
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text(NO_PASSKEY)).to_be_visible()

    ann.types_password(simple_device)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/account")


def test_a_device_that_does_not_recognise_its_user_signs_nobody_in(ann: Any, device: Any) -> None:
    ann.signs_up()
    ann.adds_passkey()
    ann.signs_out()
    device.knows_its_user(False)
    page = ann.opens_door_without_touching(device)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text(NO_PASSKEY)).to_be_visible()
    expect(ann.opens("/account").get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_passkey_that_was_not_made_is_not_there(ann: Any, device: Any) -> None:
    ann.signs_up()
    device.is_touched(False)
    page = ann.opens("/account/security/passkeys/add")
    page.get_by_label("What do you call it?").fill("Laptop")
    page.get_by_role("button", name="Make a passkey").click()
    expect(ann.opens("/account/security").get_by_role("listitem")).to_have_count(0)
    assert device.passkeys == []


def test_a_passkey_is_renamed_and_once_it_is_removed_it_opens_nothing(ann: Any, device: Any) -> None:
    ann.signs_up()
    ann.adds_passkey("Laptop")
    page = ann.opens("/account/security")
    page.get_by_text("Rename Laptop").click()
    page.get_by_label("New name").fill("Old laptop")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_text("It has its new name.")).to_be_visible()
    ann.removes("Old laptop")
    assert len(device.passkeys) == 1, "the browser still has it"

    ann.signs_out()
    page = ann.opens_door_without_touching(device)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("That did not work")
    ann.types_password(device)
    page.wait_for_url("**/account")


def test_a_second_device_has_a_passkey_of_its_own(ann: Any, device: Any) -> None:
    ann.signs_up()
    ann.adds_passkey("Laptop")
    page = ann.opens("/account/security/passkeys/add")
    ann.proves_it_is_still_her()
    tablet = ann.takes_another_device(device)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("What do you call it?").fill("Tablet")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_text("From now on you can sign in with this passkey.")).to_be_visible()
    assert len(device.passkeys) == len(tablet.passkeys) == 1

    ann.signs_out()
    page = ann.opens_door_without_touching(tablet)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/account")
    expect(ann.opens("/account/security").get_by_role("listitem").filter(has_text="Tablet")).to_contain_text(
        "last used"
    )
