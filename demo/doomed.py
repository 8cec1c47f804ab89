"""A process of the shop that comes to a bad end: ``python -m demo.doomed FOLDER PORT TIME``.

It reads from its input what to do, does it up to a bad moment, says so, and waits there to be killed. It holds a
transaction or an open mail at that moment, as a process does that loses its power.
"""

import json
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import event

from demo.shop import Place, open_shop
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock

__all__ = ["die_before_the_commit", "die_before_the_mail"]

_HERE: Final = "now\n"
_CONTEXT: Final = RequestContext(secure=True)


def die_before_the_mail(place: Place, now: datetime, email: str) -> int:
    """Ask for a reset link in a process that is killed after its commit, and before the mail goes out."""
    return _killed(place, now, {"email": email})


def die_before_the_commit(place: Place, now: datetime, token: str, password: str) -> int:
    """Set a new password in a process that is killed when everything is written, and nothing is committed."""
    return _killed(place, now, {"token": token, "password": password})


def _killed(place: Place, now: datetime, task: dict[str, str]) -> int:
    command = [sys.executable, "-m", "demo.doomed", str(place.folder), str(place.mail_port), now.isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  (ours)
        if process.stdin is None or process.stdout is None:
            raise BrokenPipeError
        process.stdin.write(json.dumps(task))
        process.stdin.close()
        said = process.stdout.readline()
        process.kill()
        code = process.wait()
    if said != _HERE:
        msg = f"the process ended by itself, with {code}"
        raise RuntimeError(msg)
    return code


class _LastBell:
    """Rings when the change is stored, and no mail has left: the bad moment."""

    def ring(self) -> None:
        """Wait to be killed."""
        _wait_for_the_end()


def _wait_for_the_end(*_: object) -> None:
    sys.stdout.write(_HERE)
    sys.stdout.flush()
    threading.Event().wait()


def _live(place: Place, now: datetime, task: dict[str, str]) -> None:
    opened = open_shop(place, FixedClock(now), _LastBell())
    recovery = opened.shop.recovery
    if "email" in task:
        recovery.request_reset(task["email"], _CONTEXT)
    else:
        event.listen(opened.storage.engine, "commit", _wait_for_the_end)
        recovery.reset_password(Secret(task["token"]), task["password"], _CONTEXT)


if __name__ == "__main__":
    folder, port, time = sys.argv[1:]
    _live(Place(folder=Path(folder), mail_port=int(port)), datetime.fromisoformat(time), json.load(sys.stdin))
