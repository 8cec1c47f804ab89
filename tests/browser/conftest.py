"""A real browser, with a device for passkeys that is made of software, in front of the example shops."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

ROOT = Path(__file__).parents[2]
EMAIL = "ann@winter.example"
PASSWORD = "four lamps and a moth in winter"


@attrs.frozen
class Device:
    """A device that keeps passkeys, such as a laptop with a reader for fingerprints."""

    session: CDPSession
    id: str

    @classmethod
    def beside(cls, page: Page, **abilities: object) -> "Device":
        """Attach one to a page; unless *abilities* say otherwise it verifies its user and is touched at once."""
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            **abilities,
        }
        return cls(session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"])

    @property
    def passkeys(self) -> list[dict[str, Any]]:
        """What it keeps."""
        found: list[dict[str, Any]] = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]
        return found

    def knows_its_user(self, known: bool) -> None:
        """Say whether it recognises who touches it."""
        self.session.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": known})

    def is_touched(self, touched: bool) -> None:
        """Say whether somebody touches it when it asks for that."""
        given = {"authenticatorId": self.id, "enabled": touched}
        self.session.send("WebAuthn.setAutomaticPresenceSimulation", given)


@attrs.frozen
class Customer:
    """Ann at her browser."""

    page: Page
    url: str

    def opens(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}")
        return self.page

    def signs_up(self) -> None:
        page = self.opens("/sign-up")
        page.get_by_label("E-mail address").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create the account").click()
        page.wait_for_url("**/sign-up/code")
        self.types_code_from_mail()

    def types_code_from_mail(self) -> None:
        mails = self.page.context.new_page()
        mails.goto(f"{self.url}/development/mails")
        while not mails.locator("article").count():  # mail leaves after the answer
            mails.reload()
        [code, *_] = re.findall(r"\b\d{6}\b", mails.locator("article pre").first.inner_text())
        mails.close()
        self.page.get_by_label("Code from the mail").fill(code)
        self.page.get_by_role("button", name="Confirm my address").click()
        self.page.wait_for_url("**/account")

    def adds_passkey(self, label: str = "Laptop") -> list[str]:
        """Add a passkey, and answer the recovery codes that were shown with it."""
        page = self.opens("/account/security")
        page.get_by_role("link", name="Add a passkey").click()
        page.get_by_label("What do you call it?").fill(label)
        page.get_by_role("button", name="Make a passkey").click()
        page.get_by_role("heading", name="Your recovery codes").wait_for()
        shown: list[str] = page.locator(".codes li").all_inner_texts()
        return shown

    def takes_another_device(self, device: Device) -> Device:
        """Take a second device, with the first one out of reach."""
        device.is_touched(False)
        return Device.beside(self.page, transport="usb")

    def proves_it_is_still_her(self) -> None:
        """Use a passkey where the shop asks for a fresh proof."""
        self.page.get_by_role("heading", name="Is it still you?").wait_for()
        self.page.get_by_role("button", name="Use a passkey").click()
        self.page.get_by_text("Thank you. Please go on.").wait_for()

    def removes(self, label: str) -> None:
        page = self.opens("/account/security")
        page.get_by_role("button", name=f"Remove {label}").click()
        self.proves_it_is_still_her()
        page.get_by_role("button", name=f"Remove {label}").click()
        page.get_by_text("It is removed").wait_for()

    def signs_out(self) -> None:
        self.opens("/account").get_by_role("button", name="Sign out").click()
        self.page.get_by_text("You are signed out.").wait_for()

    def opens_door_without_touching(self, device: Device) -> Page:
        """Open the page to sign in, without taking the passkey that the browser suggests there."""
        device.is_touched(False)
        self.opens("/sign-in").get_by_role("button", name="Sign in with a passkey").wait_for()
        device.is_touched(True)
        return self.page

    def types_password(self, device: Device) -> None:
        page = self.opens_door_without_touching(device)
        page.get_by_label("E-mail address").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "there is no Chromium; `make browser` installs it where that is allowed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


COMMANDS = {
    "fastapi": "-m uvicorn --app-dir docs/examples --factory fastapi_shop.app:create_app --port",
    "flask": "-m flask --app docs/examples/flask_shop/app.py run --port",
}


@pytest.fixture(params=COMMANDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a shop, started as its README says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"SHOP_FOLDER": str(tmp_path), "SHOP_URL": f"http://localhost:{port}", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(  # noqa: S603  (ours)
        [sys.executable, *COMMANDS[request.param].split(), str(port)],
        cwd=ROOT,
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", "src"), **settings},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout
            assert any("running on" in line.lower() for line in process.stdout), "it ended by itself"
            yield f"http://localhost:{port}"
        finally:
            process.terminate()


@pytest.fixture
def ann(chromium: Browser, shop: str) -> Iterator[Customer]:
    context = chromium.new_context()
    context.set_default_timeout(20_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield Customer(page, shop)
    context.close()
    assert problems == [], "a script of a page failed"


@pytest.fixture
def device(ann: Customer) -> Device:
    """A device that verifies its user."""
    return Device.beside(ann.page)


@pytest.fixture
def simple_device(ann: Customer) -> Device:
    """A device that can't tell who touches it."""
    return Device.beside(ann.page, hasUserVerification=False, isUserVerified=False)
