"""The pytest plugin drives async tests in the host that they are meant for."""

import pytest

CONFTEST = 'pytest_plugins = ["shopaccounts.testing.plugin"]'


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project of somebody else that uses the plugin."""
    pytester.makeconftest(CONFTEST)
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = -p no:cacheprovider --strict-markers")
    return pytester


@pytest.mark.proves("TES-101", "TES-110")
def test_each_async_test_runs_in_a_blocking_and_in_an_async_host(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio
        from shopaccounts.adapters.memory import MemoryStorage

        def in_a_loop():
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                return False
            return True

        async def test_hosts(host):
            assert in_a_loop() == (host == "async")

        class TestMethods:
            async def test_storage(self, host, storage):
                assert isinstance(storage, MemoryStorage) == (host == "blocking")

        def test_plain():
            assert not in_a_loop()
        """
    )
    result = project.runpytest("-v")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["*test_hosts?blocking? PASSED*", "*test_hosts?async? PASSED*"])


@pytest.mark.proves("TES-101")
def test_overriding_the_host_chooses_one(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def host():
            return "async"

        async def test_alone(host):
            assert host == "async"
        """
    )
    project.runpytest().assert_outcomes(passed=1)


@pytest.mark.proves("TES-101")
def test_generated_values_reach_async_tests_in_both_hosts(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from hypothesis import HealthCheck, given, settings, strategies as st
        import asyncio

        @settings(max_examples=5, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(number=st.integers())
        async def test_any(host, number):
            if host == "async":
                await asyncio.sleep(0)
            assert isinstance(number, int)
        """
    )
    project.runpytest().assert_outcomes(passed=2)


@pytest.mark.proves("TES-101")
def test_a_failure_in_an_async_test_fails(project: pytest.Pytester) -> None:
    project.makepyfile("async def test_wrong():\n    assert 1 == 2")
    project.runpytest().assert_outcomes(failed=2)


@pytest.mark.proves("TES-110")
def test_a_port_that_is_not_awaited_or_a_task_that_is_left_fails(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio
        import pytest
        from shopaccounts.testing.doubles import Late

        class Port:
            def ask(self):
                return 1

        @pytest.fixture
        def host():
            return "async"

        async def test_forgotten():
            Late(Port()).ask()

        async def test_left():
            global task
            task = asyncio.get_running_loop().create_task(asyncio.sleep(0.01))
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*was never awaited*", "*tasks that nobody waited for*"])


@pytest.mark.proves("TES-101")
def test_a_blocking_host_refuses_a_port_that_answers_later(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio
        import pytest

        @pytest.fixture
        def host():
            return "blocking"

        async def test_late():
            await asyncio.sleep(0)
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a port suspended in a blocking host*"])


@pytest.mark.proves("TES-101")
def test_the_marker_that_names_rules_is_known_and_said_once(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\n\n@pytest.mark.proves('ABC-1')\ndef test_it(): ...")
    project.runpytest().assert_outcomes(passed=1)
    project.makeini("[pytest]\nmarkers = proves(*ids): as the project says it")
    shown = project.runpytest("--markers").stdout.str()
    assert shown.count("@pytest.mark.proves") == 1


@pytest.mark.proves("TES-101", "TES-114")
def test_an_adapter_of_somebody_else_is_proven_in_a_few_lines(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from shopaccounts.testing.contracts.counters import CountersContract
        from shopaccounts.testing.contracts.purging import PurgingContract

        class TestCounters(CountersContract): ...
        class TestPurging(PurgingContract): ...
        """
    )
    outcomes = project.runpytest().parseoutcomes()
    assert outcomes.keys() == {"passed"}
    assert outcomes["passed"] > 20
