"""What a result was measured on: the processor and the versions of what computed it."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("zoo", "jax", "jaxlib", "flax", "optax", "numpy")


def environment(device: str | None = None) -> dict[str, str | int | None]:
    """The machine and the software, for a run's metrics and for the head of a table.

    Args:
        device: what the arrays were on, as JAX names it, e.g. "cpu" or "NVIDIA H100"; this
            function imports no JAX to ask it.

    Returns:
        `device`, `cpu` (the model's name), `cores` (those this process may run on),
        `platform`, `python`, and the version of each of `PACKAGES` that is installed.
    """
    return {
        "device": device,
        "cpu": _cpu(),
        "cores": _cores(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **_versions(),
    }


def _cpu() -> str:
    """The processor's model as its maker names it; where the system has no name, its kind."""
    try:
        name = _cpu_model()
    except (OSError, subprocess.SubprocessError):
        name = ""
    return name or platform.processor() or platform.machine()


def _cpu_model() -> str:
    if sys.platform == "win32":
        import winreg

        key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as processor:
            return str(winreg.QueryValueEx(processor, "ProcessorNameString")[0]).strip()
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    # One "key : value" a line. ARM has no "model name".
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == "model name"), "")


def _cores() -> int | None:
    """The cores this process is allowed; where the system cannot tell, all there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
