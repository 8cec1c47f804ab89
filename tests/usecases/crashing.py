"""What the files of crashes have in common: a crash loses nothing, and the same request ends well."""

from collections import Counter
from datetime import timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.errors import Rejected
from shopaccounts.testing.crashes import walk_crashes

LEASE = timedelta(minutes=1)


async def assert_ends_well(begin, perform, done_before="", repeated=frozenset(), also=lambda _world: None):
    """Stop the machine at every port call of a command, do the same again, and look at what stands then.

    Args:
        begin: Answers a world in which somebody is about to do it.
        perform: Does it in that world, through ``wrap``.
        done_before: What the same request is told whose effect was stored before the machine stopped.
        repeated: What is there again because somebody asks again; none of it is a thing that may happen once.
        also: Tells what else must stand then as it does without a crash.
    """

    async def run(world, wrap):
        world.builder.clock.advance(LEASE)
        try:
            await perform(world, wrap=wrap)
        except Rejected as refusal:
            return refusal.code
        return ""

    async def check(found):
        assert found.result in {found.quiet_result, done_before}, (found.call, found.side, found.result)
        hit, quiet = standing(found.world), standing(found.quiet_world)
        assert not quiet - hit, (found.call, found.side, "lost", quiet - hit)
        extra = {name for name, *_ in hit - quiet}
        assert extra <= repeated, (found.call, found.side, hit - quiet)
        assert also(found.world) == also(found.quiet_world), (found.call, found.side)

    assert await walk_crashes(begin, run, check) >= 1


def standing(world):
    """All that is kept, told and sent, without ids, times and texts."""
    kept = world.builder.storage.snapshot()["main"].books
    told = Counter((event.name,) for event in world.rows("events"))
    sent = Counter((message.template,) for message in world.rows("messages"))
    books = [name for name in kept if name not in {"events", "messages", "deliveries"}]
    return told + sent + Counter((name, shape(entity)) for name in books for entity in kept[name].values())


def shape(value):
    """What of a value doesn't differ from run to run."""
    if isinstance(value, Enum | bool | None):
        return value
    if attrs.has(type(value)):
        names = (field.name for field in attrs.fields(type(value)) if field.name != "led_by")
        return tuple((name, shape(getattr(value, name))) for name in names)
    if isinstance(value, tuple):
        return tuple(map(shape, value))
    return frozenset(map(shape, value)) if isinstance(value, frozenset) else "a value"
