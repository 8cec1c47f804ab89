"""The demo runs from its first line to its last, tells no secret, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAST_LINES = [
    "  Of 47 passwords, links, sessions, addresses none stands in the file.",
    "The end. Nothing was lost, nothing happened twice, and the folder of this demo is removed.",
]


def demo(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the demo as `make demo` does, with its temporary files in *folder*."""
    return subprocess.run(  # noqa: S603  (ours)
        [sys.executable, "-m", "demo", *arguments],
        input=typed,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src", "TMPDIR": str(folder), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_comes_to_a_good_end(tmp_path: Path) -> None:
    told = demo(tmp_path)
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    assert told.stdout.splitlines()[-2:] == LAST_LINES
    assert "It came once. Nothing was lost." in told.stdout
    assert "Nothing is half done." in told.stdout
    assert "Laptop and phone are signed out" in told.stdout
    assert "Everybody is signed out, the stranger too." in told.stdout
    assert "Her address counts again, and everybody is signed out." in told.stdout
    assert "  | Devices that we know: Phone, Laptop" in told.stdout
    assert "The right password opens nothing there" in told.stdout
    assert "each opens an account once" in told.stdout
    assert "Each of them works once." in told.stdout
    assert "That counts as two factors: the laptop, and her finger on it." in told.stdout
    assert "signin.repudiated, by customer" in told.stdout
    assert "  | no. 2   29 Feb  29 Feb to 31 Mar    19.15 EUR  paid" in told.stdout
    assert "She clicks, and pays 8.69 EUR: as shown." in told.stdout
    assert "Billed 296.38 EUR, debited 296.38 EUR, each invoice once." in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_shows_no_secret_but_what_a_mail_shows_to_its_reader(tmp_path: Path) -> None:
    told = demo(tmp_path)
    lines = [line for line in told.stdout.splitlines() if not line.startswith("  | ")]
    assert "token=" in told.stdout
    for secret in ("moth in winter", "candles under", "kettle sings", "lighthouse asleep", "sa1.", "\033["):
        assert not [line for line in lines if secret in line]


def test_somebody_can_type_address_and_passwords(tmp_path: Path) -> None:
    typed = [
        "ann",
        "",
        "bob@lantern.example",
        "short",
        "bob@lantern.example",
        "a fox reads under the bridge",
        "000",
        "",
    ]
    told = demo(tmp_path, "--interactive", typed="\n".join([*typed, "a wrong one", *[""] * 12]))
    assert told.returncode == 0, told.stderr
    assert "Please check the e-mail address." in told.stdout
    assert "That password won't do: too short" in told.stdout
    assert "To: bob@lantern.example" in told.stdout
    assert told.stdout.splitlines()[-1] == LAST_LINES[-1]


def test_who_has_seen_enough_of_it_may_leave(tmp_path: Path) -> None:
    told = demo(tmp_path, "--interactive", typed="bob@lantern.example\n")
    assert told.returncode == 130
    assert told.stdout.splitlines()[-1] == "Stopped. Nothing is left behind."
    assert list(tmp_path.iterdir()) == []
