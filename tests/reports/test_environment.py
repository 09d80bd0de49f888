"""What is said of the machine, also where the system says little."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from zoo.reports import environment
from zoo.reports.environment import PACKAGES, _cores, _cpu, _versions


def test_environment():
    found = environment(device="NVIDIA H100")
    assert list(found)[:5] == ["device", "cpu", "cores", "platform", "python"]
    assert found["device"] == "NVIDIA H100"
    assert found["cpu"]
    assert 1 <= found["cores"] <= os.cpu_count()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["platform"] == platform.platform()
    assert found["jax"] == metadata.version("jax")
    assert environment()["device"] is None


def test_cores_are_those_of_this_process(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert _cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    assert _cores() == os.cpu_count()


def test_packages_that_are_not_installed_are_left_out(monkeypatch):
    def version(package):
        if package != "numpy":
            raise metadata.PackageNotFoundError(package)
        return "2.0"

    monkeypatch.setattr("importlib.metadata.version", version)
    assert _versions() == {"numpy": "2.0"}
    assert {"zoo", "jax", "jaxlib", "flax", "optax", "numpy"} == set(PACKAGES)


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (
            "processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD EPYC: 64\nmodel name\t: x\n",
            "AMD EPYC: 64",
        ),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", "fallback"),
        ("", "fallback"),
    ],
)
def test_cpu_on_linux(monkeypatch, cpuinfo, name):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.processor", lambda: "fallback")
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: cpuinfo)
    assert _cpu() == name


def test_cpu_on_macos(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: SimpleNamespace(stdout="Apple M4\n"))
    assert _cpu() == "Apple M4"


def test_cpu_on_windows(monkeypatch):
    class Key:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    registry = SimpleNamespace(
        HKEY_LOCAL_MACHINE=0,
        OpenKey=lambda root, path: Key(),  # noqa: ARG005
        QueryValueEx=lambda key, name: ("Intel(R) Core(TM) i7  ", 1),  # noqa: ARG005
    )
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr("sys.platform", "win32")
    assert _cpu() == "Intel(R) Core(TM) i7"


@pytest.mark.parametrize(
    "failure", [FileNotFoundError("sysctl"), subprocess.CalledProcessError(1, "sysctl")]
)
def test_cpu_that_cannot_be_found_out(monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("subprocess.run", fail)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert _cpu() == "arm64"
