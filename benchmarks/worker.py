"""The process of one participant: `python -m benchmarks.worker NAME FOLDER DEVICE THREADS`.

A line of JSON on standard input asks for something, a line on standard output answers. Nothing
else goes there: what a library prints is sent to standard error.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

# More steps in a sample than this measure nothing better.
MOST_STEPS = 4096


class Worker:
    """Answers what `benchmarks.rounds` asks."""

    def __init__(self, participant: str, folder: Path, device: str):
        self.participant, self.folder, self.device = participant, folder, device
        self.adapter: Any = None
        self.compiling: dict[str, float] = {}

    def devices(self) -> Mapping[str, Any]:
        """Whether JAX has the device that was asked for; an error if not."""
        import jax

        return {"devices": [device.device_kind for device in jax.devices(self.device)]}

    def ceilings(self, seconds: float) -> Mapping[str, Any]:
        """What the machine can do at most, see `benchmarks.roofline`."""
        from benchmarks.roofline import measure_ceilings

        return measure_ceilings(self.device, seconds)

    def build(self) -> Mapping[str, Any]:
        """Imports the library and builds the model."""
        begun = time.perf_counter()
        from benchmarks import peers
        from benchmarks.material import read_material

        material = read_material(self.folder)
        importing = time.perf_counter()
        peers.import_adapter(self.participant)
        building = time.perf_counter()
        self.resident = memory("VmRSS")
        self._listen()
        self.adapter = peers.make(self.participant, material, self.device)
        return {
            "read": importing - begun,
            "import": building - importing,
            "build": time.perf_counter() - building,
        }

    def _listen(self) -> None:
        """Adds up what JAX says of its tracing and compiling, where a participant is on JAX."""
        if "jax" not in sys.modules:
            return
        events = {
            "/jax/core/compile/jaxpr_trace_duration": "trace",
            "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
            "/jax/core/compile/backend_compile_duration": "compile",
        }

        def heard(event: str, seconds: float, **_: Any) -> None:
            if event in events:
                name = events[event]
                self.compiling[name] = self.compiling.get(name, 0.0) + seconds

        sys.modules["jax"].monitoring.register_event_duration_secs_listener(heard)

    def outputs(self) -> Mapping[str, Any]:
        """Writes the first batch's outputs into the folder."""
        return self._save("outputs", self.adapter.outputs)

    def input_gradient(self) -> Mapping[str, Any]:
        """Writes the gradient for the first batch into the folder."""
        return self._save("gradient", self.adapter.input_gradient)

    def _save(self, name: str, compute: Callable[[], np.ndarray]) -> Mapping[str, Any]:
        self.compiling.clear()
        np.save(self.folder / f"{name}-{self.participant}.npy", compute(), allow_pickle=False)
        return {"compiling": dict(self.compiling)}

    def losses(self, steps: int) -> Mapping[str, Any]:
        """The losses of some training steps, how long they took, and what of it was compiling."""
        self.compiling.clear()
        begun = time.perf_counter()
        losses = self.adapter.losses(steps)
        seconds = time.perf_counter() - begun
        return {"losses": losses, "seconds": seconds, "compiling": dict(self.compiling)}

    def warm_up(self, measure: str, seconds: float) -> Mapping[str, Any]:
        """Runs until compiled, and finds how many steps last `seconds`."""
        self.compiling.clear()
        begun = time.perf_counter()
        self.adapter.run(measure, 1)
        first = time.perf_counter() - begun
        compiling, steps = dict(self.compiling), 1
        while True:
            took = self._seconds(measure, steps)
            if took >= seconds or steps >= MOST_STEPS:
                return {"steps": steps, "first": first, "compiling": compiling}
            # In growing strides: the first ones are slower than the rest.
            steps = min(MOST_STEPS, max(steps + 1, round(steps * min(8, 1.2 * seconds / took))))

    def time(self, measure: str, steps: int) -> Mapping[str, Any]:
        """Seconds of a step, as the mean over `steps`."""
        return {"seconds": self._seconds(measure, steps) / steps}

    def _seconds(self, measure: str, steps: int) -> float:
        begun = time.perf_counter()
        self.adapter.run(measure, steps)
        return time.perf_counter() - begun

    def about(self) -> Mapping[str, Any]:
        """Versions, device, threads and the peak of the process's memory."""
        return {
            "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            **self.adapter.about(),
            "peak bytes": memory("VmHWM"),
            "resident bytes after import": self.resident,
        }


def memory(field: str) -> int | None:
    """A field of this process's status in bytes: VmHWM is the peak, VmRSS what it has now.

    Not `getrusage`, whose peak starts from that of the process which started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), None)


def serve(worker: Any, requests: Any, answers: Any) -> None:
    """Answers line after line. A request that fails is answered with its error."""
    for line in requests:
        request = json.loads(line)
        method: Callable[..., Any] = getattr(worker, request.pop("do"))
        try:
            answer = {"answer": method(**request)}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__, "kind": type(error).__name__}
            if answer["kind"] != "UnsupportedError":
                import traceback

                traceback.print_exc()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Serves until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends this one
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    participant, folder, device, threads = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):  # before any library counts cores and starts threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    serve(Worker(participant, Path(folder), device), sys.stdin, answers)


if __name__ == "__main__":
    main()
