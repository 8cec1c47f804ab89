"""Messages worded with Jinja templates and gettext catalogues.

The rules, in plain English:

* A text ``context.situation`` is a folder with ``subject.txt`` (one line), ``text.txt`` (always) and ``html.html`` (if
  wanted). A shop puts its own folder in front and overrides one part alone; ``text.de.txt`` is for German only.
* For phones there are ``sms.txt`` and, to be read out, ``voice.txt`` (if wanted). A call without one says the text
  message; where that is missing too, a phone gets the subject, with the link to object if there is one.
* Templates see plain text values and can do nothing but show them. A name with ``{{`` in it stays a name.
* A missing variable is an error, never an empty place in a mail.
* In HTML every value is escaped. In a subject, line breaks, controls and signs that turn the direction of writing are
  dropped, and what is endless is cut.
* The same arguments give the same words.
"""

import functools
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
from babel import Locale
from babel.dates import format_date, get_timezone
from babel.numbers import format_currency, format_decimal
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined, TemplateError, UndefinedError, meta
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from shopaccounts.adapters.catalogues import LOCALES, closest, moment, region, texts
from shopaccounts.kernel.messages import Channel
from shopaccounts.relay import BadMessage, TemplateUnknown, Wording

__all__ = ["Finding", "JinjaTemplates", "Sample"]

SUBJECT: Final = "subject.txt"
TEXT: Final = "text.txt"
HTML: Final = "html.html"
SMS: Final = "sms.txt"
VOICE: Final = "voice.txt"
_PARTS: Final = (SUBJECT, TEXT, HTML, SMS, VOICE)
_SHORT: Final = "_layout/sms.txt"
_ALWAYS_THERE: Final = frozenset({"lang", "dir"})
_LONGEST_SUBJECT: Final = 150
_LONGEST_VALUE: Final = 2000
_TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NAME: Final = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


@attrs.frozen(kw_only=True)
class Sample:
    """Values to try a text with; those that are not always there are named in ``optional``.

    Args:
        phones: Whether only phones get it, so it has no subject and no text for mail.
    """

    variables: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    phones: bool = False


@attrs.frozen(kw_only=True)
class Finding:
    """Something wrong with a text, found without sending it.

    ``problem`` is ``missing``, ``broken``, ``unknown_variable``, ``unused_variable``, ``untranslated`` or
    ``line_break``; ``detail`` names the variable or the words.
    """

    template: str
    locale: str
    part: str
    problem: str
    detail: str = ""


class JinjaTemplates:
    """Words messages with the library's templates, and the shop's own before them.

    Args:
        folder: The shop's templates, in folders ``context/situation``; None for the library's alone.
        common: Values for every text, such as ``footer``: what the law wants to stand below a mail.
        zone: In whose time instants are told, by its name in the tz database.
    """

    def __init__(
        self, folder: str | Path | None = None, common: Mapping[str, str] | None = None, zone: str = "UTC"
    ) -> None:
        own = [FileSystemLoader(folder)] if folder else []
        self._loader = ChoiceLoader([*own, PackageLoader("shopaccounts", "locale/templates")])
        self._common, self._zone = dict(common or {}), get_timezone(zone)
        self._environments = functools.lru_cache(maxsize=32)(self._new_environment)

    def render(
        self, template: str, locale: str, variables: Mapping[str, str], channel: Channel = Channel.EMAIL
    ) -> Wording:
        """Word one message.

        Args:
            template: Which text.
            locale: In which language.
            variables: Values for the text.
            channel: By which way it goes out; phones get a short text alone.

        Raises:
            TemplateUnknown: There is no such text.
            BadMessage: A variable is missing, or the template is broken.
        """
        if channel is not Channel.EMAIL:
            short = self._short(template, locale, variables, channel)
            return Wording(subject="", text=short.strip() + "\n", locale=closest(locale))
        subject = self._part(template, SUBJECT, locale, variables)
        text = self._part(template, TEXT, locale, variables)
        if subject is None or text is None:
            raise TemplateUnknown(template)
        html = self._part(template, HTML, locale, variables) or ""
        return Wording(subject=_one_line(subject), text=text.strip() + "\n", html=html, locale=closest(locale))

    def preview(
        self,
        template: str,
        locale: str,
        variables: Mapping[str, str] | None = None,
        channel: Channel = Channel.EMAIL,
    ) -> Wording:
        """Word a message with its sample values, for people who look at texts.

        Args:
            template: Which text.
            locale: In which language.
            variables: Values in place of the sample's.
            channel: As for ``render``.

        Raises:
            TemplateUnknown, BadMessage: As ``render``.
        """
        return self.render(template, locale, {**self.sample(template).variables, **(variables or {})}, channel)

    def names(self, channel: Channel = Channel.EMAIL) -> tuple[str, ...]:
        """Answer every text that is written for mail, or for phones."""
        there = set(self._loader.list_templates())
        part = SMS if channel is not Channel.EMAIL else TEXT
        return tuple(
            name
            for name in self._all_names()
            if f"{_folder(name)}/{part}" in there or (channel is Channel.EMAIL and not self._is_for_phones(name))
        )

    def sample(self, template: str) -> Sample:
        """Answer the sample values of a text, from its ``sample.json``.

        Raises:
            TemplateUnknown: It has none.
        """
        try:
            source, *_ = self._loader.get_source(self._environment(LOCALES[0]), f"{_folder(template)}/sample.json")
        except TemplateNotFound as failure:
            raise TemplateUnknown(template) from failure
        kept = json.loads(source)
        optional = frozenset(kept.get("optional", ()))
        return Sample(variables=kept["variables"], optional=optional, phones=kept.get("phones", False))

    def check_templates(self, locales: Iterable[str] = LOCALES) -> tuple[Finding, ...]:
        """Try every text in every language, with and without its optional values; answer all that is wrong."""
        return tuple(
            dict.fromkeys(
                finding for name in self._all_names() for locale in locales for finding in self._findings(name, locale)
            )
        )

    def _all_names(self) -> tuple[str, ...]:
        folders = {name.rpartition("/")[0].replace("/", ".") for name in self._loader.list_templates()}
        return tuple(sorted(folder for folder in folders if _NAME.fullmatch(folder)))

    def _is_for_phones(self, name: str) -> bool:
        try:
            return self.sample(name).phones
        except TemplateUnknown:
            return False

    def _short(self, template: str, locale: str, variables: Mapping[str, str], channel: Channel) -> str:
        """Answer what a phone gets."""
        for part in (VOICE, SMS) if channel is Channel.VOICE else (SMS,):
            text = self._part(template, part, locale, variables)
            if text is not None:
                return text
        subject = self._part(template, SUBJECT, locale, variables)
        if subject is None:
            raise TemplateUnknown(template)
        short = self._rendered([_SHORT], SMS, locale, {**variables, "subject": _one_line(subject)})
        return short or subject

    def _part(self, template: str, part: str, locale: str, variables: Mapping[str, str]) -> str | None:
        return self._rendered(_file_names(template, part, locale), part, locale, variables)

    def _rendered(self, names: list[str], part: str, locale: str, variables: Mapping[str, str]) -> str | None:
        try:
            found = self._environment(locale).select_template(names)
        except TemplateNotFound:
            return None
        except TemplateError as failure:
            raise BadMessage(part=part, reason="broken_template") from failure
        values = {name: _cut(value, _LONGEST_VALUE) for name, value in {**self._common, **variables}.items()}
        try:
            return found.render(values)
        except UndefinedError:
            raise BadMessage(part=part, reason="missing_variable") from None
        except Exception:  # noqa: BLE001  (a template may do anything; its error may hold the values)
            raise BadMessage(part=part, reason="broken_template") from None

    def _environment(self, locale: str) -> SandboxedEnvironment:
        return self._environments(str(region(locale)))

    def _new_environment(self, locale: str) -> SandboxedEnvironment:
        environment = SandboxedEnvironment(
            loader=self._loader,
            undefined=StrictUndefined,
            autoescape=lambda name: bool(name and name.endswith(".html")),
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.install_gettext_translations(texts(locale), newstyle=True)  # type: ignore[attr-defined]  # from the extension
        where = region(locale)
        environment.filters |= {
            "date": lambda text: format_date(date.fromisoformat(text), "long", where),
            "datetime": lambda text: moment(datetime.fromisoformat(text), self._zone, where),
            "number": lambda text: format_decimal(Decimal(text), locale=where),
            "money": lambda text: _amount(text, where),
        }
        direction = "rtl" if where.character_order == "right-to-left" else "ltr"
        environment.globals |= {"lang": closest(locale), "dir": direction}
        return environment

    # Looking for mistakes

    def _findings(self, template: str, locale: str) -> Iterator[Finding]:
        try:
            sample = self.sample(template)
        except TemplateUnknown:
            yield Finding(template=template, locale=locale, part="sample.json", problem="missing")
            return
        needed = {name: value for name, value in sample.variables.items() if name not in sample.optional}
        must = {SMS} if sample.phones else {SUBJECT, TEXT}
        for part in _PARTS:
            for values in (sample.variables, needed):
                yield from self._tried(template, part, locale, values, must=part in must)
            yield from self._untranslated(template, part, locale)
        yield from self._variables(template, locale, frozenset(sample.variables))

    def _tried(
        self, template: str, part: str, locale: str, values: Mapping[str, str], *, must: bool
    ) -> Iterator[Finding]:
        try:
            text = self._part(template, part, locale, values)
        except BadMessage as failure:
            yield Finding(template=template, locale=locale, part=part, problem="broken", detail=failure.reason)
            return
        if text is None and must:
            yield Finding(template=template, locale=locale, part=part, problem="missing")
        if text and part == SUBJECT and "\n" in text.strip():
            yield Finding(template=template, locale=locale, part=part, problem="line_break")

    def _variables(self, template: str, locale: str, declared: frozenset[str]) -> Iterator[Finding]:
        used: set[str] = set()
        for part in _PARTS:
            of_part = set().union(*(self._asked_for(source) for source in self._sources(template, part, locale)))
            for name in sorted(of_part - declared - self._common.keys() - _ALWAYS_THERE - {"footer"}):
                yield Finding(template=template, locale=locale, part=part, problem="unknown_variable", detail=name)
            used |= of_part if part != HTML else set()
        for name in sorted(declared - used):
            yield Finding(template=template, locale=locale, part=TEXT, problem="unused_variable", detail=name)

    def _untranslated(self, template: str, part: str, locale: str) -> Iterator[Finding]:
        if closest(locale) == LOCALES[0]:
            return
        for words in sorted({w for source in self._sources(template, part, locale) for w in self._words(source)}):
            if _has_no_text(words, locale):
                yield Finding(template=template, locale=locale, part=part, problem="untranslated", detail=words)

    def _sources(self, template: str, part: str, locale: str) -> Iterator[str]:
        """Answer the text of a part's template and of those it is built on."""
        waiting: list[str] = [name for name in _file_names(template, part, locale) if self._is_there(name)][:1]
        while waiting:
            source, *_ = self._loader.get_source(self._environment(locale), waiting.pop())
            try:
                waiting += [name for name in meta.find_referenced_templates(self._parsed(source)) if name]
            except TemplateSyntaxError:  # told by trying it
                continue
            yield source

    def _is_there(self, name: str) -> bool:
        return name in self._loader.list_templates()

    def _parsed(self, source: str) -> Any:
        return self._environment(LOCALES[0]).parse(source)

    def _asked_for(self, source: str) -> set[str]:
        return {name for name in meta.find_undeclared_variables(self._parsed(source)) if name not in _GETTEXT}

    def _words(self, source: str) -> Iterator[str]:
        found = self._environment(LOCALES[0]).extract_translations(source)  # type: ignore[attr-defined]  # from the extension
        for _, _, words in found:
            yield words if isinstance(words, str) else words[0]


_GETTEXT: Final = frozenset({"_", "gettext", "ngettext", "pgettext", "npgettext"})


def _has_no_text(words: str, locale: str) -> bool:
    return texts(locale).gettext(words) == words


def _amount(text: str, where: Locale) -> str:
    """Word what ``str`` makes of an amount of money, such as ``17.90 EUR``."""
    number, currency = text.split()
    return format_currency(Decimal(number), currency, locale=where)


def _folder(template: str) -> str:
    if not _NAME.fullmatch(template):
        raise TemplateUnknown(template)
    return template.replace(".", "/")


def _file_names(template: str, part: str, locale: str) -> list[str]:
    stem, _, ending = part.partition(".")
    return [f"{_folder(template)}/{stem}.{closest(locale)}.{ending}", f"{_folder(template)}/{part}"]


def _one_line(text: str) -> str:
    plain = _TURNING.sub("", text)
    spaced = "".join(" " if unicodedata.category(sign) in {"Cc", "Zl", "Zp"} else sign for sign in plain)
    return _cut(" ".join(spaced.split()), _LONGEST_SUBJECT)


def _cut(text: str, longest: int) -> str:
    """Cut *text*, but not between a sign and what belongs to it."""
    if len(text) <= longest:
        return text
    end = longest - 1
    while end > 1 and _belongs_to_the_sign_before(text, end):
        end -= 1
    return text[:end] + "…"


def _belongs_to_the_sign_before(text: str, place: int) -> bool:
    joined = "\u200d" in text[place - 1 : place + 1]
    return joined or unicodedata.category(text[place]) in {"Mn", "Mc", "Me"} or "\ufe00" <= text[place] <= "\ufe0f"
