"""Write the reference pages of the docs from what the modules of the library hold: policies, events, errors."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Any, Final, get_type_hints

import attrs

import public_api
import shopaccounts
from shopaccounts.adapters.babel import Messages
from shopaccounts.kernel.errors import Conflict, Defect, Kind, Rejected, Unavailable
from shopaccounts.kernel.events import Event
from shopaccounts.subscriptions.laws.notice_rules import LawRow

NOTICE: Final = "*Written from the code by `tools/generate_reference.py`; change the code instead of this page.*\n"
TECHNOLOGY: Final = {"adapters", "blocking", "locale", "testing"}

# --- What the library holds ------------------------------------------------------------------------------------------


@cache
def modules() -> tuple[ModuleType, ...]:
    """Import every module of the kernel and of the contexts."""
    found = pkgutil.walk_packages(shopaccounts.__path__, "shopaccounts.")
    return tuple(importlib.import_module(m.name) for m in found if context_of(m.name) not in TECHNOLOGY)


def classes(kind: type) -> Iterator[type[Any]]:
    """Find every public class of a kind, in the order of the source."""
    for module in modules():
        for name, found in vars(module).items():
            is_ours = isinstance(found, type) and found.__module__ == module.__name__ and not name.startswith("_")
            if is_ours and issubclass(found, kind):
                yield found


def context_of(module: str) -> str:
    """Answer to which part of the library a module belongs."""
    return f"{module}..".split(".")[1]


def grouped(found: Iterable[type[Any]], group_of: Callable[[type[Any]], str]) -> list[tuple[str, list[type[Any]]]]:
    """Sort classes into groups by name, those of the kernel last."""
    groups: dict[tuple[bool, str], list[type[Any]]] = defaultdict(list)
    for kind in found:
        groups[context_of(kind.__module__) == "kernel", group_of(kind)].append(kind)
    return [(group, kinds) for (_, group), kinds in sorted(groups.items(), key=lambda item: item[0])]


def package_of(kind: type[Any]) -> str:
    """Answer the context or part of the library in which a class lives."""
    return context_of(kind.__module__)


def home(kind: type[Any]) -> str:
    """Answer from which public module a class is to be imported."""
    context = f"shopaccounts.{package_of(kind)}"
    return context if kind.__name__ in public_api.exported(context) else kind.__module__


# --- Docstrings ------------------------------------------------------------------------------------------------------

SECTION: Final = re.compile(r"(Args|Raises|Returns|Why these defaults):$", re.MULTILINE)
ENTRY: Final = re.compile(r" {4}(\w+(?:, \w+)*): (.+)")
WHY: Final = "Why these defaults"


@attrs.frozen
class Told:
    """What a docstring tells: first its paragraphs, then its sections, entry by entry."""

    paragraphs: tuple[str, ...]
    sections: Mapping[str, Mapping[str, str]]

    def of(self, section: str) -> Mapping[str, str]:
        """Answer the entries of one section."""
        return self.sections.get(section, {})

    @property
    def prose(self) -> str:
        """All paragraphs, as Markdown."""
        return prose(" ".join(self.paragraphs))


def told(kind: type[Any]) -> Told:
    """Read the docstring of a class; blank lines part its paragraphs and sections."""
    paragraphs: list[str] = []
    sections: dict[str, Mapping[str, str]] = {}
    for block in inspect.cleandoc(kind.__doc__ or "").split("\n\n"):
        if heading := SECTION.match(block):
            sections[heading[1]] = entries(block.splitlines()[1:])
        else:
            paragraphs.append(" ".join(block.split()))
    return Told(tuple(paragraphs), sections)


def entries(lines: Iterable[str]) -> dict[str, str]:
    """Read a section: names, a colon, and a text that goes on in the lines further in."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if entry := ENTRY.match(line):
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


# --- Markdown --------------------------------------------------------------------------------------------------------


def prose(text: str) -> str:
    """Answer the text of a docstring as Markdown, with a capital at its beginning."""
    markdown = text.replace("``", "`")
    return markdown[:1].upper() + markdown[1:]


def code(text: str) -> str:
    """Answer code as Markdown."""
    return f"`{text}`"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Answer a table as Markdown."""
    lines = (head, ("---",) * len(head), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def facts_of(kind: type[Any]) -> dict[str, str]:
    """Answer the fields of a class, or what its constructor takes, with types as the source writes them."""
    found: dict[str, str] = {}
    for base in (base for base in reversed(kind.__mro__) if base.__module__.startswith("shopaccounts.")):
        _, node = public_api.find(base.__module__, base.__name__)
        for member in node.body if isinstance(node, ast.ClassDef) else ():
            match member:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=hint) if "ClassVar" not in ast.unparse(hint):
                    found[name] = ast.unparse(hint)
                case ast.FunctionDef(name="__init__", args=arguments):
                    found = {each.arg: ast.unparse(each.annotation) for each in arguments.args if each.annotation}
    return found


def facts(kind: type[Any], without: str = "") -> str:
    """Write the facts of an event or error."""
    texts = told(kind).of("Args")
    lines = (
        code(f"{name}: {hint}") + (f": {prose(texts[name])}" if name in texts else "")
        for name, hint in facts_of(kind).items()
        if name != without
    )
    return "<br>".join(lines) or "none"


# --- Policies --------------------------------------------------------------------------------------------------------

POLICIES: Final = """\
# Policies

{notice}
Everything that may differ between shops is a field of a policy, and every default says why it is what it is. What has
no field here can't be set. [Set your own rules](howto/own-policies.md) shows how to change one, and what is refused.

```python
from datetime import timedelta

from shopaccounts import Policies
from shopaccounts.recovery import ResetPolicy

policies = Policies(resets=ResetPolicy(link_life=timedelta(hours=2)))
```

Times below are `timedelta`s. *Of the house* means that no standard names a value and this one is our own judgement.
"""
UNITS: Final = {unit: timedelta(**{f"{unit}s": 1}) for unit in ("day", "hour", "minute", "second")}


def is_policy(kind: type[Any]) -> bool:
    """Tell whether a class is a policy, or lives among the policies of a context, or tells its defaults like one."""
    among_policies = kind.__module__.endswith(".policy") and package_of(kind) != "kernel"
    return attrs.has(kind) and (kind.__name__.endswith("Policy") or among_policies or WHY in told(kind).sections)


def policies() -> list[type[Any]]:
    """Find every policy, and every value that a policy is made of."""
    values = {
        type(part) for kind in classes(object) if is_policy(kind) for part in defaults_of(kind) if not is_law(part)
    }
    return [kind for kind in classes(object) if is_policy(kind) or (kind in values and attrs.has(kind))]


def is_law(value: Any) -> bool:
    """Tell whether a value is a row of somebody's law: those have a page of their own, and no defaults of ours."""
    return isinstance(value, LawRow)


def defaults_of(kind: type[Any]) -> Iterator[Any]:
    """Answer the default values of a policy; of a tuple its members."""
    for field in attrs.fields(kind):
        value = default(field)
        yield from value if isinstance(value, tuple) else (value,)


def default(field: "attrs.Attribute[Any]") -> Any:
    """Answer the default of a field, made if it has to be made."""
    made: Any = field.default
    return made.factory() if isinstance(made, attrs.Factory) else made  # type: ignore[arg-type]  # a class at run time


def unexplained() -> list[str]:
    """Answer every field of a policy whose default nobody has explained."""
    return [
        f"{kind.__module__}.{kind.__name__}.{field.name}"
        for kind in policies()
        for field in attrs.fields(kind)
        if field.default is not attrs.NOTHING and field.name not in told(kind).of(WHY)
    ]


def policies_page() -> str:
    """Write docs/policies.md."""
    parts = [POLICIES.format(notice=NOTICE)]
    for context, found in grouped(policies(), package_of):
        parts.append(f"\n## {context}\n")
        parts += [policy_section(kind) for kind in found]
    return "".join(parts)


def policy_section(kind: type[Any]) -> str:
    """Write about one policy: what it decides, where it is given, its fields, its ready-made values."""
    doc = told(kind)
    taken = [field for field, hint in get_type_hints(shopaccounts.Policies).items() if hint is kind]
    given = f", given as `Policies({taken[0]}=...)`" if taken else ""
    meant = [(name, doc.of(key)) for name, key in (("Meaning", "Args"), ("Why", WHY)) if key in doc.sections]
    rows = (
        (code(field.name), worded(default(field)), *(prose(texts.get(field.name, "")) for _, texts in meant))
        for field in attrs.fields(kind)
    )
    told_fields = table(("Field", "Default", *(name for name, _ in meant)), rows)
    opening = f"{prose(doc.paragraphs[0])} From `{home(kind)}`{given}."
    return f"\n### {kind.__name__}\n\n{opening}\n\n{told_fields}{ready_made(kind)}"


def ready_made(kind: type[Any]) -> str:
    """Write about the class methods that answer a policy without asking for anything."""
    lines = (
        f"- `{kind.__name__}.{name}()`: {prose(gift(member.__func__))}\n"
        for name, member in vars(kind).items()
        if isinstance(member, classmethod) and len(inspect.signature(member.__func__).parameters) == 1
    )
    text = "".join(lines)
    return f"\nReady-made:\n\n{text}" if text else ""


def gift(function: Any) -> str:
    """Answer what a function gives, as its docstring says it."""
    return " ".join((inspect.getdoc(function) or "").split()).removeprefix("Answer ")


def worded(value: Any) -> str:
    """Answer a default as people read it."""
    match value:
        case attrs.NOTHING:
            return "required"
        case "" | None:
            return "none"
        case LawRow(id=id):
            return code(id)
        case tuple() | frozenset():
            parts = [worded(part) for part in value]
            return ", ".join(parts if isinstance(value, tuple) else sorted(parts)) or "none"
        case _ if attrs.has(type(value)):
            fields = (f"{field.name} {plain(getattr(value, field.name))}" for field in set_fields(value))
            return f"{code(type(value).__name__)} ({', '.join(fields)})"
        case _:
            return plain(value) if isinstance(value, timedelta) else code(plain(value))


def set_fields(value: Any) -> list["attrs.Attribute[Any]"]:
    """Answer which fields of a value differ from its defaults; all, where none does."""
    fields = attrs.fields(type(value))
    return [field for field in fields if getattr(value, field.name) != field.default] or list(fields)


def plain(value: Any) -> str:
    """Answer a single value as people read it."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, tuple) and any(map(is_law, value)):
        return f"{len(value)} laws"
    return span(value) if isinstance(value, timedelta) else str(value)


def span(value: timedelta) -> str:
    """Answer a time in its largest whole unit; a single day in hours."""
    if not value:
        return "none"
    whole = ((unit, size) for unit, size in UNITS.items() if not value % size and (unit, value) != ("day", size))
    unit, size = next(whole, ("second", UNITS["second"]))
    count = value / size
    return f"{count:g} {unit}{'' if count == 1 else 's'}"


# --- Events ----------------------------------------------------------------------------------------------------------

EVENTS: Final = """\
# Events

{notice}
What the library tells your shop once it has happened. Names and schemas are [stable for good](stability.md); a changed
event gets a new schema number. An event holds ids, never personal data. Beside the fields below each has `at`, the time
at which it happened; its envelope adds which event it is, in which realm and store, who did it, and its place in the
history of its subject. [The relay](contexts/relay.md) hands events on to your code.

*OWASP* is the word of the OWASP Logging Vocabulary, for tools that watch logs.
"""


def events_page() -> str:
    """Write docs/events.md."""
    parts = [EVENTS.format(notice=NOTICE)]
    for context, found in grouped((kind for kind in classes(Event) if "name" in vars(kind)), package_of):
        rows = (event_row(kind) for kind in sorted(found, key=lambda kind: kind.name))
        head = ("Event", "Schema", "When", "Fields", "OWASP")
        homes = " and ".join(code(module) for module in sorted({kind.__module__ for kind in found}, key=len))
        parts.append(f"\n## {context}\n\nFrom {homes}.\n\n{table(head, rows)}")
    return "".join(parts)


def event_row(kind: type[Event]) -> tuple[str, ...]:
    """Write one row about an event."""
    owasp = getattr(kind, "owasp_name", "")
    return (
        f"{code(kind.name)}<br>{code(kind.__name__)}",
        str(kind.schema),
        told(kind).prose,
        facts(kind, without="at"),
        code(owasp) if owasp else "",
    )


# --- Errors ----------------------------------------------------------------------------------------------------------

ERRORS: Final = """\
# Errors

{notice}
There are four families, told apart by who has to act.

**Rejected** is the business saying no: the customer or clerk can read why and do something else. Each rejection has a
code that is [stable for good](stability.md), one of seven kinds, and its facts as typed fields. A host maps the kinds
to its protocol, never each class:

{kinds}
A response of kind `throttled` carries `Retry-After`: the fact `retry_after` in whole seconds, rounded up. The texts
below come from the English catalogue, with the facts by their names; [how the others are reached](howto/messages.md)
stands with the mails.

**Conflict** means that somebody else was faster. Nothing was stored: load again and decide again. Use-cases do that by
themselves a few times, so a host sees one only where many keep writing the same thing. It answers 409.

{conflicts}
**Unavailable** means that a store or a service did not answer, and nothing is known to be wrong. Try later. It is never
told as an empty result. The example shops answer it like `kernel.try_later`.

{unavailables}
**Defect** means that a programmer has to act: a policy that contradicts itself, an adapter that broke its contract. Let
it rise to your framework, which answers 500 without a detail and tells you.

{defects}"""
STATUS: Final = {
    Kind.INVALID: (422, "What was typed in, or the request itself, can't be used."),
    Kind.UNAUTHENTICATED: (401, "The proof that was given doesn't do, or there is none."),
    Kind.FORBIDDEN: (403, "Not for this person, or not in this way."),
    Kind.NOT_FOUND: (404, "There is no such thing, or not for this person."),
    Kind.CONFLICT: (409, "It doesn't fit the state that things are in."),
    Kind.THROTTLED: (429, "Not now; later."),
    Kind.GONE: (410, "It was there, and its time is over."),
}


def rejections() -> list[type[Rejected]]:
    """Find every rejection with a code of its own."""
    return [kind for kind in classes(Rejected) if "code" in vars(kind)]


def errors_page() -> str:
    """Write docs/errors.md."""
    kinds = table(("Kind", "HTTP", "What it says"), ((code(k.value), str(STATUS[k][0]), STATUS[k][1]) for k in Kind))
    families = (family(kind) for kind in (Conflict, Unavailable, Defect))
    texts = dict(zip(("conflicts", "unavailables", "defects"), families, strict=True))
    parts = [ERRORS.format(notice=NOTICE, kinds=kinds, **texts)]
    for context, found in grouped(rejections(), lambda kind: str(kind.code).partition(".")[0]):
        rows = (error_row(kind) for kind in sorted(found, key=lambda kind: kind.code))
        head = ("Code", "Kind", "When", "Facts", "In English")
        parts.append(f"\n## {context}\n\n{table(head, rows)}")
    return "".join(parts)


def family(kind: type[Exception]) -> str:
    """Write about the members of a family that has no codes."""
    members = (member for member in classes(kind) if member is not kind or facts_of(kind))
    rows = ((code(member.__name__), told(member).prose, facts(member)) for member in members)
    return table(("Class", "When", "Facts"), rows)


def error_row(kind: type[Rejected]) -> tuple[str, ...]:
    """Write one row about a rejection."""
    return (
        f"{code(kind.code)}<br>{code(kind.__name__)}",
        f"{kind.kind.value}, {STATUS[kind.kind][0]}",
        told(kind).prose,
        facts(kind),
        said(kind),
    )


def said(kind: type[Rejected]) -> str:
    """Answer what a person is told, with each fact by its name."""
    error = kind.__new__(kind)
    for name in facts_of(kind):
        object.__setattr__(error, name, f"*{name}*")
    return Messages("en").say(error)
