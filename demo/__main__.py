"""Runs the demo; see ``demo/__init__.py``."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from demo.people import GaveUp, Person, Reader
from demo.postbox import Postbox
from demo.shop import Place
from demo.story import Story
from demo.telling import Teller


def main() -> int:
    """Tell the story, and leave nothing behind."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="Watch customers come, go and return.")
    parser.add_argument("--interactive", action="store_true", help="type address, code and passwords yourself")
    interactive: bool = parser.parse_args().interactive
    teller = Teller(sys.stdout, colours=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    with tempfile.TemporaryDirectory(prefix="shopaccounts-demo-") as folder, Postbox() as postbox:
        place = Place(folder=Path(folder), mail_port=postbox.port)
        try:
            Story(place, postbox, teller, Person() if interactive else Reader()).tell()
        except (GaveUp, KeyboardInterrupt):
            print("\nStopped. Nothing is left behind.")
            return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
