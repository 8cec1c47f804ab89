"""What may stand nowhere, or only in places that this file names."""

import ast
from collections.abc import Callable, Iterator

import pytest

KEEPERS = {"kernel/time.py", "kernel/chance.py"}
CLOCK_AND_CHANCE_MODULES = {"random", "secrets", "time"}
CLOCK_AND_CHANCE_CALLS = {
    *(("datetime", name) for name in ("now", "today", "utcnow")),
    ("date", "today"),
    ("os", "getrandom"),
    ("os", "urandom"),
    *(("uuid", f"uuid{version}") for version in (1, 4, 6, 7)),
}
TELLING_WORDS = ("digest", "verifier", "code_mac", "token")
PLAIN_WORDS = {"token_in"}  # the part of a link that carries its ticket: a setting, no secret

# Every function that opens a secret, sorted. A new line here is looked at twice in a review: could it show the secret?
REVEALING = (
    "adapters/_legacy_schemes.py::digest",
    "adapters/aiosmtp.py::AsyncSmtpCourier._prepare",
    "adapters/argon2.py::_bound",
    "adapters/crypto.py::AesVault.seal",
    "adapters/crypto.py::_check",
    "adapters/crypto.py::_checked",
    "adapters/crypto.py::_cipher",
    "adapters/crypto.py::_hkdf",
    "adapters/legacy_hashes.py::_Work.adopt",
    "adapters/legacy_hashes.py::_checked",
    "adapters/pepper.py::PepperedHasher._opened",
    "adapters/qr.py::SegnoQrCode.svg",
    "adapters/sms.py::_checked",
    "adapters/sms.py::signature",
    "adapters/smtp.py::SmtpCourier._prepare",
    "adapters/sqlalchemy/sealing.py::SealedBodies.read",
    "adapters/sqlalchemy/sealing.py::digest",
    "adapters/totp.py::_app",
    "adapters/zxcvbn.py::ZxcvbnMeter.rate",
    "kernel/blind.py::IndexKey.__attrs_post_init__",
    "kernel/blind.py::_index",
    "kernel/codes.py::code_mac",
    "kernel/flows.py::_digest",
    "kernel/flows.py::_value",
    "kernel/limits.py::counter_key",
    "kernel/paging.py::_mac",
    "kernel/tickets.py::_text_of",
    "kernel/web.py::LinkBuilder.link",
    "kernel/writing.py::compose",
    "kernel/writing.py::read_sealed",
    "passwords/breaches.py::fingerprint",
    "passwords/judging.py::findings_by",
    "passwords/judging.py::judge",
    "passwords/meter.py::rate",
    "passwords/preparing.py::Prepared.__len__",
    "passwords/preparing.py::prepare",
    "providers/believing.py::text_of",
    "providers/flows.py::request_parameters",
    "providers/id_tokens.py::_of_the_access_token",
    "providers/keeping.py::Keeping.opened",
    "providers/keeping.py::Keeping.sealed",
    "providers/model.py::ExchangeOrder.form",
    "providers/steps.py::Steps.begin",
    "providers/steps.py::Steps.see",
    "recovery/case_steps.py::CaseSteps._challenge",
    "recovery/questions.py::_findings",
    "recovery/questions.py::normalised",
    "registration/coding.py::challenge_for",
    "relay/usecases.py::Relay._rendered",
    "signin/codes/sending.py::SentCodes._draw",
    "signin/codes/sending.py::SentCodes.shown",
    "signin/devices.py::_cookie",
    "signin/devices.py::device_values",
    "signin/factors/recovery_codes.py::recovery_code_mac",
    "signin/factors/totp.py::otpauth_uri",
    "signin/factors/totp.py::secret_text",
    "signin/passkeys/another_device.py::AnotherDevice._challenge",
    "signin/passkeys/another_device.py::_in_groups",
    "signin/passkeys/rules.py::fake_descriptors",
)


def last_name(node: ast.AST) -> str:
    """The name that a reader sees last: ``a.b.c`` is called c."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def clock_and_chance(tree: ast.AST) -> Iterator[int]:
    """Lines that ask the clock or throw dice."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if any(name.name in CLOCK_AND_CHANCE_MODULES for name in names):
                yield node.lineno
            case ast.ImportFrom(module=str(module), names=names) if module in CLOCK_AND_CHANCE_MODULES or any(
                (module, name.name) in CLOCK_AND_CHANCE_CALLS for name in names
            ):
                yield node.lineno
            case ast.Attribute(value=owner, attr=attribute) if (last_name(owner), attribute) in CLOCK_AND_CHANCE_CALLS:
                yield node.lineno


def old_domain_codec(tree: ast.AST) -> Iterator[int]:
    """Lines that use Python's own ``"idna"`` codec, which follows the outdated IDNA 2003."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=arguments, keywords=keywords):
                values = [*arguments, *(keyword.value for keyword in keywords)]
                if any(isinstance(value, ast.Constant) and value.value == "idna" for value in values):
                    yield node.lineno
            case ast.ImportFrom(module="encodings.idna") | ast.Import(names=[ast.alias(name="encodings.idna")]):
                yield node.lineno


def tells_nothing(side: ast.AST) -> bool:
    """Whether a comparison with this is harmless: with None, or of lengths."""
    match side:
        case ast.Constant(value=None) | ast.Call(func=ast.Name(id="len")):
            return True
    return False


def telling_comparisons(tree: ast.AST) -> Iterator[int]:
    """Lines that compare a secret or digest with ``==``, whose time tells how much of a guess was right."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        operands = [node.left, *node.comparators]
        for operator, *sides in zip(node.ops, operands, operands[1:], strict=False):
            compares = isinstance(operator, ast.Eq | ast.NotEq)
            harmless = any(tells_nothing(side) for side in sides)
            names = {last_name(side).lower() for side in sides} - PLAIN_WORDS
            secret = any(word in name for name in names for word in TELLING_WORDS)
            if compares and secret and not harmless:
                yield node.lineno


def revealing(tree: ast.AST, inside: str = "") -> Iterator[str]:
    """Names of the functions that open a secret."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield from revealing(node, f"{inside}.{name}" if inside else name)
                continue
            case ast.Attribute(attr="reveal"):
                yield inside or "(module)"
        yield from revealing(node, inside)


def places(library: dict[str, ast.Module], ban: Callable[[ast.AST], Iterator[int]]) -> list[str]:
    return [f"{path}:{line}" for path, tree in library.items() for line in ban(tree)]


def test_only_two_modules_ask_the_clock_or_throw_dice(library: dict[str, ast.Module]) -> None:
    others = {path: tree for path, tree in library.items() if path not in KEEPERS}
    found = places(others, clock_and_chance)
    assert not found, f"take a Clock or an Entropy as an argument instead of asking directly: {found}"


def test_the_keepers_of_clock_and_chance_exist(library: dict[str, ast.Module]) -> None:
    assert library.keys() >= KEEPERS


@pytest.mark.proves("ADA-202")
def test_nobody_uses_the_old_codec_for_international_domains(library: dict[str, ast.Module]) -> None:
    found = places(library, old_domain_codec)
    assert not found, f"encode and decode domains with the package idna, not with Python's codec: {found}"


@pytest.mark.proves("KER-204")
def test_nobody_compares_secrets_or_digests_with_equals(library: dict[str, ast.Module]) -> None:
    found = places(library, telling_comparisons)
    assert not found, f"compare secrets and digests in constant time, with kernel.secret.same: {found}"


@pytest.mark.proves("KER-202")
def test_every_function_that_opens_a_secret_is_on_the_list(library: dict[str, ast.Module]) -> None:
    shop = {path: tree for path, tree in library.items() if not path.startswith("testing/")}
    found = sorted({f"{path}::{name}" for path, tree in shop.items() for name in revealing(tree)})
    wanted = "\n".join(f'    "{place}",' for place in found)
    assert found == list(REVEALING), f"if each of these must open a secret, the list REVEALING becomes:\n{wanted}"


@pytest.mark.parametrize(
    "line",
    [
        "import random",
        "import secrets",
        "from time import monotonic",
        "from uuid import uuid4",
        "moment = datetime.now(UTC)",
        "moment = datetime.datetime.utcnow()",
        "day = date.today()",
        "key = os.urandom(16)",
        "id = uuid.uuid4()",
    ],
)
def test_the_ban_on_clock_and_chance_sees(line: str) -> None:
    assert list(clock_and_chance(ast.parse(line))) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "from datetime import datetime",
        "now = self.clock.now()",
        "from shopaccounts.kernel import time",
        "uuid.UUID(text)",
    ],
)
def test_the_ban_on_clock_and_chance_lets_pass(line: str) -> None:
    assert not list(clock_and_chance(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ['name.encode("idna")', 'str(raw, encoding="idna")', 'codecs.decode(raw, "idna")', "import encodings.idna"]
)
def test_the_ban_on_the_old_codec_sees(line: str) -> None:
    assert list(old_domain_codec(ast.parse(line))) == [1]


@pytest.mark.parametrize(
    "line",
    ["a.digest == b", "verifier != other", "0 < n == x.code_mac", 'row["x"] == self.session_token', "TOKEN == given"],
)
def test_the_ban_on_telling_comparisons_sees(line: str) -> None:
    assert list(telling_comparisons(ast.parse(line))) == [1]


@pytest.mark.parametrize(
    "line", ["digest == None", "len(raw) != DIGEST_BYTES", "same(a.digest, b)", "error.code == code"]
)
def test_the_ban_on_telling_comparisons_lets_pass(line: str) -> None:
    assert not list(telling_comparisons(ast.parse(line)))


def test_the_list_of_revealing_functions_names_methods_nested_functions_and_bare_references() -> None:
    module = ast.parse("class A:\n def f(self):\n  def g(): s.reveal()\n  return map(Secret.reveal, x)\nt.reveal()")
    assert sorted(revealing(module)) == ["(module)", "A.f", "A.f.g"]
