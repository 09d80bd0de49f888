"""Files that are damaged, hostile or not understood: one clear error, soon, and nothing is run."""

import json
import os
import pickle
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from flax import nnx

import zoo.keras
from zoo.errors import ZooError
from zoo.keras.__main__ import main

LAYERS: list[dict[str, Any]] = [
    {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 3], "dtype": "float32", "name": "input"},
        "registered_name": None,
    },
    {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "dense", "units": 2, "activation": "relu"},
        "registered_name": None,
    },
]


def config(*layers: dict[str, Any]) -> dict[str, Any]:
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "model", "layers": [*(layers or LAYERS)]},
        "registered_name": None,
    }


def dense(**changes: Any) -> dict[str, Any]:
    """The model with another Dense layer."""
    entry = json.loads(json.dumps(LAYERS[1]))
    for key, value in changes.items():
        (entry if key in entry else entry["config"])[key] = value
    return config(LAYERS[0], entry)


def weights(change: Callable[[h5py.File], None] | None = None) -> bytes:
    content = BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 2), np.float32)
        file["layers/dense/vars/1"] = np.zeros(2, np.float32)
        if change:
            change(file)
    return content.getvalue()


def write(
    path: Path,
    described: Any = None,
    content: bytes | None = None,
    **more: bytes,
) -> Path:
    """A `.keras` file with these parts."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.9.9"}))
        text = described if isinstance(described, str) else json.dumps(described or config())
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", content or weights())
        for name, member in more.items():
            archive.writestr(name, member)
    return path


def refused(path: Path, *says: str) -> str:
    start = time.perf_counter()
    with pytest.raises(ZooError) as raised:
        zoo.keras.load_model(path)
    assert time.perf_counter() - start < 1
    for text in says:
        assert text in str(raised.value)
    return str(raised.value)


def test_the_plain_file_is_fine(tmp_path: Path) -> None:
    model = zoo.keras.load_model(write(tmp_path / "model.keras"))
    np.testing.assert_array_equal(model(np.ones((1, 3), np.float32)), [[3, 3]])


@pytest.mark.parametrize("content", [b"", b"PK", b"\x89HDF\r\n\x1a\n", b"hello" * 100], ids=repr)
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "w.weights.h5"])
def test_wrong_content(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, str(tmp_path / name), "must be")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_truncated(share: float, kind: str, tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.keras").read_bytes() if kind == "keras" else weights()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path)


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "model.keras")
    content = bytearray(path.read_bytes())
    content[content.index(weights()[-64:]) + 10] ^= 1
    path.write_bytes(content)
    refused(path, "CRC")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        zoo.keras.load_model(tmp_path / "nothing.keras")


@pytest.mark.parametrize(
    ("described", "says"),
    [
        ("{", "config.json"),
        ("[]", "must be a JSON object"),
        ("[" * 100_000, "must be JSON"),
        ({"class_name": "Sequential"}, "must have a list of layers"),
        ({**config(), "class_name": "MyModel"}, "must be one of"),
        (config(LAYERS[0], {"class_name": "Dense"}), "must have a printable name, got None"),
        (config(LAYERS[0], LAYERS[1], LAYERS[1]), "'dense' is there twice"),
        (dense(class_name="Conv7D"), "model/dense: layer Conv7D is not supported; supported are"),
        (dense(class_name="Lambda"), "model/dense: Lambda is code, and code of a file is never"),
        (dense(module="os", class_name="Dense"), "is not one of Keras's own"),
        (dense(registered_name="mine>Dense"), "is not one of Keras's own"),
        (dense(units="many"), "model/dense: Dense units must be a whole number, got 'many'"),
        (dense(units=-1), "units must be"),
        (dense(units=10**30), "units must be"),
        (dense(units=None), "units must be"),
        (dense(activation="relou"), "unknown activation 'relou': did you mean"),
        (
            dense(activation={"module": "os", "class_name": "function", "config": "system"}),
            "system",
        ),
        (dense(dtype="mixed_float16"), "dtype must be float32"),
        (dense(shiny=7), "Dense shiny=7 is not supported"),
        (dense(name="a\nb"), "must have a printable name, got 'a\\nb'"),
        (dense(name="x" * 10_000), "must have a printable name, got 'xxx"),
        (dense(dtype={"class_name": "DTypePolicy", "config": None}), "dtype must be float32"),
        (
            dense(activation={"module": "mine", "class_name": "function", "config": "relu"}),
            "must be an activation of Keras's own",
        ),
        (
            dense(
                activation={"class_name": "function", "config": "relu", "registered_name": "m>r"}
            ),
            "must be an activation of Keras's own",
        ),
        (dense(units=5), "must have shape (3, 5), got (3, 2)"),
        (config(LAYERS[1]), "the shape of input input_layer is not in the file"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_configs(described: Any, says: str, tmp_path: Path) -> None:
    refused(write(tmp_path / "model.keras", described), says)


def test_a_name_that_only_keras2_allows_is_read_and_not_written(tmp_path: Path) -> None:
    model = zoo.keras.load_model(write(tmp_path / "model.keras", dense(name="block/dense")))
    np.testing.assert_array_equal(model(np.ones((1, 3), np.float32)), [[3, 3]])
    with pytest.raises(ZooError, match="model/block/dense: Keras 3 allows no '/' in the name"):
        zoo.keras.save_model(model, tmp_path / "new.keras")


def test_of_very_many_problems_the_first_are_listed(tmp_path: Path) -> None:
    more = [{**LAYERS[1], "class_name": "Swirl", "config": {"name": f"s{i}"}} for i in range(300)]
    text = refused(
        write(tmp_path / "model.keras", config(LAYERS[0], *more)), "model/s99", "200 more"
    )
    assert "s100" not in text


@pytest.mark.parametrize("version", [3, "", "abc", "3.²", "9" * 5000], ids=str)
def test_versions(version: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(config()))
        archive.writestr("model.weights.h5", weights())
    refused(path, "keras_version of", "must be a version, got")


def tensor(layer: str, call: int = 0, output: int = 0) -> dict[str, Any]:
    history = [layer, call, output]
    return {"class_name": "__keras_tensor__", "config": {"keras_history": history}}


def functional(*arguments: Any, inputs: Any = "input", output: int = 0, **keywords: Any) -> Any:
    """A Functional model with one call of its Dense layer."""
    return wired({"args": arguments, "kwargs": keywords}, inputs, output)


def wired(node: Any, inputs: str = "input", output: int = 0) -> Any:
    """The same with the call as it is written."""
    layers = [
        {**LAYERS[0], "name": "input", "inbound_nodes": []},
        {**LAYERS[1], "name": "dense", "inbound_nodes": [node]},
    ]
    sources = [[name, 0, 0] for name in inputs.split()]
    outputs = [["dense", 0, output]]
    described = {"layers": layers, "input_layers": sources, "output_layers": outputs}
    return {"class_name": "Functional", "config": described}


@pytest.mark.parametrize(
    ("described", "says"),
    [
        (functional(tensor("dense")), "the layers form a circle at 'dense'"),
        (functional(tensor("nothing")), "no layer 'nothing'"),
        (functional(tensor("input", 3)), "call 3 of 'input' is read but not there"),
        (functional(tensor("input", 0, 2)), "input has no output 2, which is read"),
        (functional(tensor("input"), output=4), "dense has no output 4, which is read"),
        (functional(tensor("input"), output=-1), "dense has no output -1, which is read"),
        (functional(), "must have tensors as an input, got ()"),
        (functional(5), "must have tensors as an input, got (5,)"),
        (functional([]), "must have tensors as an input, got ((),)"),
        (functional({"a": tensor("input")}), "takes one array, got a dict of them"),
        (functional(tensor("input"), mask=5), "must have tensors as mask, got 5"),
        (functional(tensor("input"), training=True), "call 0 with training=True is not supported"),
        (functional(tensor("input"), inputs="input input"), "names 'input', twice"),
        (functional(tensor("input"), inputs="dense"), "names 'dense', which is no input"),
        (wired({}), "call 0 is not understood ('args')"),
        (wired(5), "call 0 is not understood"),
        (wired([["input", 0]]), "call 0 is not understood"),
        (wired([["input", 0, 0, [1]]]), "call 0 is not understood"),
        (wired([["input", 0, 0, {"a": {"b": 1}}]]), "call 0 with a="),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_graphs(described: Any, says: str, tmp_path: Path) -> None:
    refused(write(tmp_path / "model.keras", described), says)


def test_a_graph_that_calls_itself_without_end_is_refused(tmp_path: Path) -> None:
    """Each of thirty models calls the next one twice."""
    described = json.loads(json.dumps(functional(tensor("input"))))
    described["config"]["layers"][1]["config"]["units"] = 3
    for _ in range(30):
        inner = {**described, "name": "dense", "config": {**described["config"], "name": "dense"}}
        inner["inbound_nodes"] = [
            {"args": [tensor("input")], "kwargs": {}},
            {"args": [tensor("dense", 0)], "kwargs": {}},
        ]
        described = functional(tensor("input"))
        described["config"]["layers"][1] = inner
        # Its own wiring is call 0 of a Functional model, so that its calls count from 1 here.
        described["config"]["output_layers"] = [["dense", 2, 0]]
    refused(
        write(tmp_path / "model.keras", described),
        "must call layers at most 5,000 times, got 8,192",
    )


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    more = [
        {**LAYERS[1], "class_name": "Swirl", "config": {"name": "one"}},
        {**LAYERS[1], "config": {"name": "two", "units": 2, "activation": "nope"}},
        {**LAYERS[1], "class_name": "Lambda", "config": {"name": "three"}},
    ]
    path = write(tmp_path / "model.keras", config(LAYERS[0], *more))
    refused(path, "model/one", "Swirl", "model/two", "'nope'", "model/three", "Lambda")


def test_a_newer_keras_may_add_arguments_that_are_off(tmp_path: Path) -> None:
    path = write(tmp_path / "model.keras", dense(shiny=None, glossy=False))
    assert zoo.keras.load_model(path)(np.ones((1, 3), np.float32)).shape == (1, 2)


def _huge(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (1 << 20, 1 << 20), "f4", chunks=True)


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 2))
    file.create_virtual_dataset("layers/dense/virtual", layout)


def _external_data(file: h5py.File) -> None:
    raw = [("/etc/passwd", 0, 24)]
    file.create_dataset("layers/dense/external", (3, 2), "f4", external=raw)


def _link(link: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file["layers/dense/link"] = link

    return change


def _circle(file: h5py.File) -> None:
    file["layers/dense/again"] = file["layers"]


def _objects(file: h5py.File) -> None:
    file.create_dataset("layers/dense/text", data=["a", "b"], dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_huge, "declares 4,398,046,511,104 bytes where 0 are stored"),
        (_virtual, "has its numbers in other files"),
        (_external_data, "has its numbers in other files"),
        (_link(h5py.ExternalLink("/etc/passwd", "/")), "is a link to elsewhere (ExternalLink)"),
        (_link(h5py.SoftLink("/layers")), "is a link to elsewhere (SoftLink)"),
        (_circle, "is linked twice"),
        (_objects, "must hold numbers"),
    ],
    ids=["huge", "virtual", "external-data", "external-link", "soft-link", "circle", "text"],
)
@pytest.mark.parametrize("alone", [False, True], ids=["archive", "weights"])
def test_hostile_hdf5(change: Any, says: str, alone: bool, tmp_path: Path) -> None:
    if not alone:
        refused(write(tmp_path / "model.keras", content=weights(change)), says)
        return
    model = zoo.keras.load_model(write(tmp_path / "model.keras"))
    (tmp_path / "w.weights.h5").write_bytes(weights(change))
    with pytest.raises(ZooError) as raised:
        zoo.keras.load_weights(model, tmp_path / "w.weights.h5")
    assert says in str(raised.value)


def test_a_small_file_of_compressed_zeros_is_refused(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        zeros = np.zeros((4096, 4096), np.float32)
        file.create_dataset("layers/dense/zeros", data=zeros, compression="gzip")

    content = weights(change)
    assert len(content) < 1 << 18
    refused(write(tmp_path / "model.keras", content=content), "declares 67,108,864 bytes")


def test_many_small_data_sets_of_compressed_zeros_are_refused(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        zeros = np.zeros(1 << 21, np.float32)
        for i in range(20):
            file.create_dataset(f"layers/dense/zeros{i}", data=zeros, compression="gzip")

    says = "all of it declares 167,772,192 bytes"
    refused(write(tmp_path / "model.keras", content=weights(change)), says)


def test_numbers_of_an_unnamed_type_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(file: h5py.File) -> None:
        del file["layers/dense/vars/1"]
        file["layers/dense/vars/1"] = np.zeros(2, "V2")

    refused(write(tmp_path / "model.keras", content=weights(change)), "of a type that is not named")
    (tmp_path / "w.weights.h5").write_bytes(weights(change))
    assert main(["convert", str(tmp_path / "w.weights.h5"), str(tmp_path / "w.safetensors")]) == 2
    assert "of a type that is not named" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "C:/evil", "a\\..\\evil"])
def test_paths_out_of_the_archive(name: str, tmp_path: Path) -> None:
    refused(write(tmp_path / "model.keras", **{name: b"x"}), "leads out of the archive")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", b" " * (100 << 20))
        archive.writestr("model.weights.h5", weights())
    refused(path, "declares 104,857,600 bytes")


def test_a_compressed_archive_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "4.0.0"}))
        archive.writestr("config.json", json.dumps(config()))
        archive.writestr("model.weights.h5", weights())
    assert zoo.keras.load_model(path)(np.ones((1, 3), np.float32)).shape == (1, 2)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "trapped"),))

    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.writestr("config.json", json.dumps(config()))
        archive.writestr("model.weights.npz", pickle.dumps(Trap()))
    refused(path, "pickled objects and is never read")
    assert not (tmp_path / "trapped").exists()


def test_weights_that_do_not_fit_are_all_listed_and_none_is_set(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        del file["layers/dense/vars/1"]
        file["layers/dense_1/vars/0"] = np.ones(3, np.float32)
        file["optimizer/vars/0"] = np.ones(3, np.float32)

    path = write(tmp_path / "model.keras", content=weights(change))
    text = refused(
        path,
        "layers/dense_1/vars/0 is not in the model",
        "layers/dense/vars/1 (dense bias) of the model is not in the file",
    )
    assert "optimizer" not in text
    model = zoo.keras.load_model(write(tmp_path / "fine.keras"))
    before = np.asarray(model.layer("dense").kernel[...])
    with pytest.raises(ZooError):
        zoo.keras.load_weights(model, path)
    np.testing.assert_array_equal(model.layer("dense").kernel[...], before)


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "w.weights.h5").write_bytes(weights())
    refused(tmp_path / "w.weights.h5", "must be a whole model", "zoo.keras.load_weights")


def _legacy(path: Path, layers: dict[str, dict[str, np.ndarray]]) -> Path:
    """Weights alone in the legacy format."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["keras_version"] = b"2.15.0"
        for layer, named in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in named]
            for name, values in named.items():
                group[f"{layer}/{name}:0"] = values
    return path


def _two_dense(tmp_path: Path) -> nnx.Module:
    layers = [
        {**LAYERS[1], "config": {"name": name, "units": 3, "use_bias": bias}}
        for name, bias in [("first", True), ("second", False)]
    ]

    def content(file: h5py.File) -> None:
        del file["layers"]
        file["layers/dense/vars/0"] = np.zeros((3, 3), np.float32)
        file["layers/dense/vars/1"] = np.zeros(3, np.float32)
        file["layers/dense_1/vars/0"] = np.zeros((3, 3), np.float32)

    described = config(LAYERS[0], *layers)
    return zoo.keras.load_model(write(tmp_path / "two.keras", described, weights(content)))


ONE, TWO, THREE = (np.full((3, 3), n, np.float32) for n in (1, 2, 3))


def test_legacy_weights_go_by_name_whatever_their_order(tmp_path: Path) -> None:
    model = _two_dense(tmp_path)
    stored = {"second": {"kernel": TWO}, "first": {"bias": THREE[0], "kernel": ONE}}
    zoo.keras.load_weights(model, _legacy(tmp_path / "w.h5", stored))
    np.testing.assert_array_equal(model.layer("first").kernel[...], ONE)
    np.testing.assert_array_equal(model.layer("first").bias[...], THREE[0])
    np.testing.assert_array_equal(model.layer("second").kernel[...], TWO)


def test_legacy_weights_of_other_names_go_by_order(tmp_path: Path) -> None:
    model = _two_dense(tmp_path)
    stored = {"dense_4": {"kernel": ONE, "bias": THREE[0]}, "dense_5": {"kernel": TWO}}
    zoo.keras.load_weights(model, _legacy(tmp_path / "w.h5", stored))
    np.testing.assert_array_equal(model.layer("first").kernel[...], ONE)
    np.testing.assert_array_equal(model.layer("second").kernel[...], TWO)


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ({"second": {"kernel": ONE, "bias": THREE[0]}, "x": {"kernel": TWO}}, "second is layer 0"),
        ({"first": {"kernel": ONE, "bias": THREE[0]}}, "1 layers with weights in the file, 2 in"),
        (
            {"first": {"kernel": ONE}, "second": {"kernel": TWO}},
            "first/bias of the model is not in the file",
        ),
        (
            {"first": {"kernel": ONE, "beta": THREE[0]}, "second": {"kernel": TWO}},
            "w.h5",
        ),
        (
            {"first": {"kernel": ONE[:2], "bias": THREE[0]}, "second": {"kernel": TWO}},
            "must have shape (3, 3), got (2, 3)",
        ),
    ],
)
def test_legacy_weights_that_do_not_fit(stored: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError) as raised:
        zoo.keras.load_weights(_two_dense(tmp_path), _legacy(tmp_path / "w.h5", stored))
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("attribute", "names", "says"),
    [
        ("layer_names", 5, "layer_names of / in"),
        ("layer_names", [1, 2], "must list names, got [1, 2]"),
        ("layer_names", "first", "must list names, got ['first']"),
        ("layer_names", [b"first", b"first", b"second"], "first is named twice in layer_names"),
        ("weight_names", 5, "weight_names of first in"),
        ("weight_names", h5py.Empty("f4"), "must list names"),
        ("weight_names", [b"first/nothing:0"], "is named in weight_names but not there"),
    ],
)
def test_legacy_weights_without_proper_names(
    attribute: str, names: Any, says: str, tmp_path: Path
) -> None:
    model = _two_dense(tmp_path)
    stored = {"first": {"kernel": ONE, "bias": THREE[0]}, "second": {"kernel": TWO}}
    path = _legacy(tmp_path / "w.h5", stored)
    with h5py.File(path, "r+") as file:
        (file if attribute == "layer_names" else file["first"]).attrs[attribute] = names
    with pytest.raises(ZooError) as raised:
        zoo.keras.load_weights(model, path)
    assert says in str(raised.value)


def test_what_is_neither_a_file_nor_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.keras")  # to open it would wait for someone to write into it
    refused(tmp_path / "model.keras", "must be a file or a folder")


def test_wrong_inputs(tmp_path: Path) -> None:
    model = zoo.keras.load_model(write(tmp_path / "model.keras"))
    with pytest.raises(ZooError, match=r"input 'input' must have shape \[B, 3\], got shape"):
        model(np.ones((1, 4), np.float32))
    with pytest.raises(ZooError, match=r"inputs must be 1 \(input\), got 2"):
        model([np.ones((1, 3), np.float32)] * 2)
    with pytest.raises(ZooError, match="inputs must be input, got other"):
        model({"other": np.ones((1, 3), np.float32)})


def test_command_line_says_what_is_wrong_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "model.keras", dense(class_name="Conv7D"))
    for arguments in (["inspect", str(path)], ["convert", str(path), str(tmp_path / "x.h5")]):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "Conv7D" in err
