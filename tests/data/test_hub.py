"""The Hub: asked only when it answers, noticed within seconds and quietly when it does not."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import datasets
import pytest

from zoo.data import hub, load
from zoo.data.hub import HubUnavailable, hub_tables

from .files import SMALL, pictures, png, table, write_client_copy


class _Endpoint(BaseHTTPRequestHandler):
    """Answers every question with `status`."""

    status = 200

    def do_GET(self) -> None:
        content = json.dumps({"id": SMALL.repository, "siblings": []}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch) -> Iterator[type[_Endpoint]]:
    """A Hub on this machine; the client is not offline."""

    class Endpoint(_Endpoint):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        online(monkeypatch, server.server_port)
        yield Endpoint
        server.shutdown()


def online(monkeypatch, port: int) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")


def never(*_: object) -> None:
    pytest.fail("the client was asked")


def splits() -> datasets.DatasetDict:
    def split(count: int) -> datasets.Dataset:
        content = table([png(image) for image in pictures(count)], [i % 3 for i in range(count)])
        return datasets.Dataset(content)

    return datasets.DatasetDict(train=split(6), test=split(3))


@pytest.mark.usefixtures("endpoint")
def test_when_the_hub_answers_its_client_is_asked(monkeypatch):
    asked = []

    def load_dataset(*arguments: object) -> datasets.DatasetDict:
        asked.append(arguments)
        return splits()

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    tables = hub_tables(SMALL)
    assert asked == [("owner/small", "plain")]
    assert tables["train"]["label"].to_pylist() == [0, 1, 2, 0, 1, 2]
    assert tables["test"]["image"][0].as_py()["bytes"] == png(pictures(1)[0])


@pytest.mark.parametrize("status", [401, 404, 503])
def test_an_answer_of_no_use_is_the_reason(endpoint, monkeypatch, status):
    endpoint.status = status
    monkeypatch.setattr("datasets.load_dataset", never)
    with pytest.raises(HubUnavailable, match=rf"^asking it failed \(\w+: .*{status}") as error:
        hub_tables(SMALL)
    assert str(error.value).endswith(
        "; if its client keeps a copy, HF_HUB_OFFLINE=1 uses that without asking"
    )


def test_a_closed_door_is_noticed_at_once(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    online(monkeypatch, port)
    monkeypatch.setattr("datasets.load_dataset", never)
    start = time.perf_counter()
    with pytest.raises(HubUnavailable, match=r"asking it failed \(Connect\w*: .*refused"):
        hub_tables(SMALL)
    assert time.perf_counter() - start < 1


def test_silence_is_waited_for_no_longer_than_is_said(monkeypatch):
    monkeypatch.setattr(hub, "SECONDS_TO_ANSWER", 1.0)
    monkeypatch.setattr("datasets.load_dataset", never)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        online(monkeypatch, silent.getsockname()[1])
        start = time.perf_counter()
        with pytest.raises(HubUnavailable, match=r"no answer in 1 s|asking it failed \(.*Timeout"):
            hub_tables(SMALL)
        assert time.perf_counter() - start < 2


def test_a_name_server_that_hangs_is_waited_for_no_longer_either(monkeypatch):
    monkeypatch.setattr(hub, "SECONDS_TO_ANSWER", 0.2)
    monkeypatch.setattr("datasets.load_dataset", never)
    online(monkeypatch, 1)
    waiting = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: waiting.wait(10) and [])
    with pytest.raises(HubUnavailable, match=r"^no answer in 0\.2 s;"):
        hub_tables(SMALL)
    waiting.set()


def test_a_process_without_network_notices_within_five_seconds_and_quietly(tmp_path):
    assert hub.SECONDS_TO_ANSWER < 4  # the rest is for imports
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    environment = {
        **os.environ,
        "NO_PROXY": "127.0.0.1",
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": f"http://127.0.0.1:{port}",
        "HF_HOME": str(tmp_path),
    }
    program = (
        "import time; import datasets; from zoo.data import DatasetUnavailable, load\n"
        "start = time.perf_counter()\n"
        "try:\n    load('mnist')\n"
        "except DatasetUnavailable:\n    print(time.perf_counter() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert float(done.stdout) < 5


def test_offline_the_client_gives_its_own_copy_and_the_hub_is_not_asked(
    small, tmp_path, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", never)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "client")
    with pytest.raises(HubUnavailable, match="owner/small"):
        hub_tables(small)
    write_client_copy(tmp_path / "client")
    data = load("small")
    assert data.source == "the Hugging Face Hub (owner/small)"
    assert (data.train.x == pictures(6)).all()
    assert data.test.y.tolist() == [0, 1, 2]


@pytest.mark.usefixtures("endpoint")
def test_an_error_of_the_client_is_the_reason_in_one_line(monkeypatch):
    def load_dataset(*_: object) -> None:
        raise RuntimeError("disk full\n" + "and a page more\n" * 40)

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    with pytest.raises(HubUnavailable) as error:
        hub_tables(SMALL)
    assert str(error.value) == "RuntimeError: disk full"
