"""Several configurations in one call."""

import multiprocessing
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.functional.cases import zoo_error
from zoo.errors import ZooError
from zoo.models import weights_of
from zoo.training import Job, NonFiniteLossError, TrainingConfig, fit_jobs, fit_seeds
from zoo.training.processes import _Schedule

from .conftest import Tiny

SLOW = TrainingConfig(epochs=2, batch_size=10, optimizer="sgd", learning_rate=0.01)
FAST = TrainingConfig(epochs=2, batch_size=30, optimizer="sgd", learning_rate=0.1)


@pytest.fixture
def jobs(train):
    return [
        Job(create=Tiny, train=train, seeds=(0, 3), config=SLOW, label="slow"),
        Job(create=Tiny, train=train, seeds=(1,), config=FAST, label="fast"),
    ]


@pytest.mark.parametrize("how", ["in_turn", "vmap", "processes"])
def test_each_result_comes_with_its_job(jobs, train, monkeypatch, how):
    monkeypatch.setattr("zoo.training.processes.cores", lambda: [0])
    results = list(fit_jobs(jobs, how=how, progress=False))
    assert [(place, result.seed) for place, result in results] == [(0, 0), (0, 3), (1, 1)]
    for place, job in enumerate(jobs):
        expected = fit_seeds(
            Tiny, train, seeds=job.seeds, how="in_turn", config=job.config, progress=False
        )
        ours = [result for at, result in results if at == place]
        for result, other in zip(ours, expected, strict=True):
            weights = weights_of(result.model)
            for name, value in weights_of(other.model).items():
                assert weights[name] == pytest.approx(value, rel=1e-4, abs=1e-5)


def test_a_process_compiles_a_job_once(jobs, monkeypatch):
    monkeypatch.setattr("zoo.training.processes.cores", lambda: [0])
    results = fit_jobs(jobs, how="processes", progress=False)
    assert [result.compile_seconds > 0 for _, result in results] == [True, False, True]


def dealt(seeds, before):
    jobs = [Job(create=Tiny, train=None, seeds=range(number)) for number in seeds]
    schedule = _Schedule(jobs)
    return [schedule.next(job) for job in before]


def test_a_process_takes_its_own_job_then_a_new_one_then_helps():
    # Two processes, named by the job that they had before.
    assert dealt((2, 3, 2), [None, None, 0, 1, 0, 2, 1, 2]) == [
        (0, 0),
        (1, 0),
        (0, 1),
        (1, 1),
        (2, 0),  # nobody has begun it
        (2, 1),
        (1, 2),
        None,
    ]


def test_a_process_without_a_job_left_helps_where_most_is_to_do():
    assert dealt((1, 2, 4), [None, None, None, 0]) == [(0, 0), (1, 0), (2, 0), (2, 1)]


def test_no_jobs():
    for how in ("auto", "in_turn", "vmap", "processes"):
        assert list(fit_jobs([], how=how)) == []


@pytest.mark.parametrize("how", ["in_turn", "processes"])
def test_an_error_says_which_job_and_seed(train, how):
    config = TrainingConfig(epochs=2, batch_size=30, optimizer="sgd", learning_rate=1e38)
    job = Job(create=Tiny, train=train, seeds=(4,), config=config, label="too fast")
    with pytest.raises(NonFiniteLossError, match=r"^too fast, seed 4: "):
        list(fit_jobs([job], how=how, progress=False))


def test_closing_ends_the_processes(jobs):
    with closing(fit_jobs(jobs, how="processes", progress=False)) as results:
        next(results)
    for process in multiprocessing.active_children():
        process.join(timeout=30)
    assert not multiprocessing.active_children()


def test_seeds_of_a_job(train):
    with pytest.raises(ZooError, match="seeds must be different whole numbers from 0 to"):
        Job(create=Tiny, train=train, seeds=())


def test_an_unknown_way(jobs):
    with zoo_error("how must be 'auto', 'processes', 'vmap' or 'in_turn', got 'threads'."):
        fit_jobs(jobs, how="threads")


def test_a_script_without_a_guard(tmp_path):
    # The process imports the script, which starts processes anew, and dies before it reads its
    # job: one that does not fit into a pipe, so that sending it fails.
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import numpy as np\n"
        "from tests.training.conftest import Tiny\n"
        "from zoo.data import Split\n"
        "from zoo.training import fit_seeds\n"
        "images = Split(np.zeros((100_000, 4, 4, 1), np.uint8), np.zeros(100_000, np.int32))\n"
        "fit_seeds(Tiny, images, seeds=(0, 1), how='processes', progress=False)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert "zoo.errors.ZooError: the process of seed 0 ended without a result (exit" in done.stderr
    assert "under if __name__ == '__main__':" in done.stderr
