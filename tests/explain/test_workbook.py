"""The spreadsheet: what LibreOffice calculates is what JAX computed, in every cell of an output.

Needs LibreOffice to calculate (`apt-get install libreoffice-calc`); without it, those tests are
skipped. What a workbook says and refuses is tested everywhere.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import zoo
from tests.functional.cases import zoo_error
from zoo import layers as L
from zoo.explain import trace, workbook
from zoo.explain.formulas import ACTIVATIONS
from zoo.explain.sheets import as_table
from zoo.explain.workbook import WRITERS
from zoo.explain.workbook_file import range_name
from zoo.models import TextLinear, set_weights, weights_of

openpyxl = pytest.importorskip("openpyxl", reason="needs the package openpyxl")
pytest.importorskip("xlsxwriter", reason="needs the package xlsxwriter")
RNGS = nnx.Rngs(0)


class Chain(nnx.Module):
    """Layers one after the other."""

    def __init__(self, *chain):
        self.layers = nnx.List(chain)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Beside(nnx.Module):
    """Layers beside each other, merged in all ways."""

    def __init__(self, *beside):
        self.beside = nnx.List(beside)
        kinds = (L.Add, L.Average, L.Maximum, L.Minimum, L.Multiply)
        self.merges = nnx.List([kind() for kind in kinds])
        self.subtract, self.join = L.Subtract(), L.Concatenate(axis=1)

    def __call__(self, x):
        xs = [layer(x) for layer in self.beside]
        merged = [merge(xs) for merge in self.merges]
        return self.join([*merged, self.subtract(xs[:2]), *xs])


class Masked(nnx.Module):
    """Recurrent layers that leave out the steps of zeros, and the output of the last one."""

    def __init__(self, *chain):
        self.masking, self.layers = L.Masking(), nnx.List(chain)

    def __call__(self, x):
        mask, x = self.masking.compute_mask(x), self.masking(x)
        for layer in self.layers:
            x = layer(x, mask=mask)
        return x


def recurrent(kind, size, **options):
    return kind(size, 3, return_sequences=True, **options, rngs=RNGS)


def both(kind, size, merge, **options):
    return L.Bidirectional(
        *(kind(size, 2, **options, rngs=RNGS) for _ in range(2)), merge_mode=merge
    )


def conv(*args, **options):
    return L.Conv2D(*args, **options, rngs=RNGS)


# (model, shape of one example)
MODELS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "convolutions": (
        Chain(
            conv(4, 6, (3, 2), (2, 1), "same", groups=2, activation="elu"),
            conv(6, 4, (2, 3), 1, "same", dilation_rate=(2, 1), use_bias=False),
            conv(4, 3, 2, activation="softmax"),
            L.BatchNormalization(3, scale=False, epsilon=0.01),
            L.GlobalMaxPooling2D(),
        ),
        (7, 6, 4),
    ),
    "pools": (
        Chain(
            L.Rescaling(0.5, -0.25),
            L.MaxPooling2D(3, 1, "same"),
            L.AveragePooling2D((2, 3), (2, 1), "same"),
            L.Permute((2, 3, 1)),
            L.MaxPooling2D(2),
            L.BatchNormalization(4),
            L.GlobalAveragePooling2D(),
            L.Dropout(0.5, rngs=RNGS),
            L.ReLU(max_value=0.4, negative_slope=0.1, threshold=0.2),
            L.RepeatVector(3),
            L.Flatten(),
            L.ELU(0.3),
            L.LeakyReLU(),
            L.Dense(12, 3, rngs=RNGS),
        ),
        (7, 6, 4),
    ),
    "recurrent": (
        Chain(
            recurrent(L.SimpleRNN, 2, activation="relu"),
            recurrent(L.LSTM, 3, go_backwards=True),
            recurrent(L.GRU, 3, reset_after=False, go_backwards=True),
            recurrent(L.GRU, 3, use_bias=False, recurrent_activation="hard_sigmoid"),
            both(L.LSTM, 3, "concat", return_sequences=True, activation="softsign"),
            both(L.GRU, 4, "sum", return_sequences=True),
            both(L.GRU, 2, "mul", return_sequences=True, reset_after=False),
            L.Dense(2, 5, activation="tanh", rngs=RNGS),
            both(L.SimpleRNN, 5, "ave"),
        ),
        (4, 2),
    ),
    "masked": (
        Masked(
            recurrent(L.SimpleRNN, 2, go_backwards=True),
            recurrent(L.LSTM, 3, zero_output_for_mask=True),
            recurrent(L.GRU, 3),
            both(L.LSTM, 3, "sum", return_sequences=True),
            both(L.GRU, 2, "concat", reset_after=False),
        ),
        (6, 2),
    ),
    "words": (
        Chain(L.Embedding(9, 4, rngs=RNGS), L.LSTM(4, 3, rngs=RNGS), L.Softmax()),
        (5,),
    ),
    "mean": (Chain(L.Slice(1, 3), L.GlobalAveragePooling1D()), (5, 4)),
    "activations": (Beside(*(L.Activation(name) for name in (*ACTIVATIONS, "softmax"))), (9,)),
}
SMALL = {"input_shape": (6, 8, 2), "classes": 4}
TEXT = {"input_shape": (6,), "vocabulary": 9, "embedding": 3, "units": 2}
MODELS |= {
    name: (zoo.create_model(name, rngs=nnx.Rngs(0), **SMALL, **options), SMALL["input_shape"])
    for name, options in {
        "fashion_mnist_cnn": {"filters": 3, "units": 5, "hidden": 4},
        "fashion_mnist_lstm": {"units": 3, "hidden": 4},
        "mnist_lstm": {"units": 3},
        "multilabel_cnn": {"features": 6, "hidden": 5},
        "inception_a_gru": {"width": 4, "units": 3, "head": "gru"},
    }.items()
}
MODELS |= {
    name: (zoo.create_model(name, rngs=nnx.Rngs(0), mask=True, **TEXT, **options), (6,))
    for name, options in {"text_rnn": {}, "text_lstm": {"layers": 2}, "text_gru": {}}.items()
}
MODELS["text_linear"] = (
    zoo.create_model("text_linear", rngs=nnx.Rngs(0), input_shape=(6,)),
    (6,),
)
MODELS["text_ngram_lstm"] = (
    zoo.create_model("text_ngram_lstm", rngs=nnx.Rngs(0), **{**TEXT, "input_shape": (6, 4)}),
    (6, 4),
)
MODELS["table"] = (
    zoo.create_model("inception_a_gru", rngs=nnx.Rngs(0), **SMALL, width=4),
    SMALL["input_shape"],
)


def randomized(model: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Gives every weight another number, variances positive ones; returns an example."""
    rng = np.random.default_rng(len(shape))
    weights = {
        name: np.abs(value) + 0.1 if name.endswith("variance") else value
        for name, array in weights_of(model).items()
        for value in [rng.normal(scale=0.5, size=array.shape).astype(np.float32)]
    }
    set_weights(model, weights)
    if len(shape) == 1 and not isinstance(model, Beside | TextLinear):
        x = rng.integers(1, 9, (1, *shape)).astype(np.int32)
    elif getattr(model, "input_dtype", None) == "int32":
        x = rng.integers(1, 5, (1, *shape)).astype(np.int32)  # some of a bag alike
        x[:, :, 3] = 0  # and padding in each
    else:
        x = rng.normal(size=(1, *shape)).astype(np.float32)
    if len(shape) < 3 and not isinstance(model, Chain | Beside):
        x[:, [0, 3, 5]] = 0  # padding at both ends and within
    return x


EXAMPLES = {name: randomized(*entry) for name, entry in MODELS.items()}


def calculated(folder: Path, files: list[Path]) -> dict[str, Any]:
    """The workbooks as LibreOffice calculates them, by name."""
    if shutil.which("soffice") is None:
        pytest.skip("needs LibreOffice to calculate: apt-get install libreoffice-calc")
    out = folder / "calculated"
    subprocess.run(
        [
            *("soffice", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"),
            *("--convert-to", "xlsx", "--outdir", str(out), *map(str, files)),
        ],
        check=True,
        capture_output=True,
        timeout=600,
    )
    return {file.stem: openpyxl.load_workbook(out / file.name, data_only=True) for file in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Has a workbook of every model; they hold no results, only formulas."""
    folder = tmp_path_factory.mktemp("workbooks")
    for name, (model, _) in MODELS.items():
        workbook(model, EXAMPLES[name], folder / f"{name}.xlsx")
    return folder


@pytest.fixture(scope="module")
def books(folder) -> dict[str, Any]:
    return calculated(folder, sorted(folder.glob("*.xlsx")))


def block(book: Any, page: str, name: str) -> np.ndarray:
    """The cells of a named block."""
    reference = book.defined_names[range_name(page, name)].attr_text
    ((sheet, cells),) = openpyxl.workbook.defined_name.DefinedName(
        "x", attr_text=reference
    ).destinations
    found = book[sheet][cells.replace("$", "")]
    rows = found if isinstance(found, tuple) else ((found,),)
    return np.array([[cell.value for cell in row] for row in rows])


def differences(book: Any, model: Any, x: np.ndarray) -> dict[str, float]:
    """The largest difference from JAX for each layer, over all cells of its output."""
    found = {}
    for name, output in trace(model, x).items():
        cells = block(book, name, "output").astype(float)
        found[name] = float(np.abs(cells - as_table(output[0])).max())
    return found


@pytest.mark.parametrize("name", MODELS)
def test_every_cell_equals_jax(books, name):
    found = differences(books[name], MODELS[name][0], EXAMPLES[name])
    assert found
    assert max(found.values()) < 1e-5, found


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("masked", "masking mask"),
        ("text_gru", "embedding mask"),
        ("text_ngram_lstm", "bag mask"),
    ],
)
def test_a_mask_has_a_sheet(books, name, page):
    assert block(books[name], page, "output").ravel().tolist() == [0, 1, 1, 0, 1, 0]
    assert block(books[name], page, "jax").ravel().tolist() == [0, 1, 1, 0, 1, 0]
    rows = books[name]["overview"].iter_rows(values_only=True)
    layer = page.removesuffix(" mask")
    counted = {row[1]: row[4] for row in rows if row[1] in (page, layer)}
    assert counted == {page: 0, layer: 0 if name == "masked" else 27}


@pytest.mark.parametrize("name", ["table", "mnist_lstm"])
def test_the_overview_has_both_results_and_their_difference(books, name):
    model, _ = MODELS[name]
    outputs = trace(model, EXAMPLES[name])
    rows = list(books[name]["overview"].iter_rows(values_only=True))
    layer_rows = {
        row[1]: row for row in rows if isinstance(row[0], int) and isinstance(row[2], str)
    }
    assert [*outputs, "softmax"] == [key for key in layer_rows if key in {*outputs, "softmax"}]
    assert all(0 <= layer_rows[key][5] < 1e-5 for key in outputs)
    logits = next(reversed(outputs.values()))[0]
    results = [row for row in rows if str(row[1]).startswith("class ")]
    assert len(results) == len(logits)
    probabilities = np.asarray(jax.nn.softmax(jnp.asarray(logits)))
    for (_, _, ours, jax_, difference, p, jax_p, _), logit, probability in zip(
        results, logits, probabilities, strict=True
    ):
        assert ours == pytest.approx(logit, abs=1e-5)
        assert jax_ == pytest.approx(logit, abs=1e-12)
        assert difference == pytest.approx(ours - jax_, abs=1e-12)
        assert p == pytest.approx(probability, abs=1e-5)
        assert jax_p == pytest.approx(probability, abs=1e-12)


def test_a_changed_pixel_and_a_changed_weight_change_what_follows(folder, tmp_path):
    model, _ = MODELS["table"]
    x = EXAMPLES["table"].copy()
    book = openpyxl.load_workbook(folder / "table.xlsx")
    sheet, cells = next(iter(book.defined_names["input_input"].destinations))
    pixel = book[sheet][cells.replace("$", "")][2][5]
    assert pixel.value == pytest.approx(x[0, 2, 2, 1])  # row 2, column 2, channel 1
    pixel.value = x[0, 2, 2, 1] = 2.5
    sheet, cells = next(iter(book.defined_names["conv6_conv_kernel"].destinations))
    weight = book[sheet][cells.replace("$", "")][3 * 2 + 1][4 + 3]
    changed = nnx.clone(model)
    kernel = changed.conv6.conv.kernel
    assert weight.value == pytest.approx(float(kernel[1, 1, 3, 2]))  # filter 2, u 1, v 1, c 3
    weight.value = -1.5
    kernel[...] = kernel[...].at[1, 1, 3, 2].set(-1.5)
    book.save(tmp_path / "changed.xlsx")
    found = calculated(tmp_path, [tmp_path / "changed.xlsx"])["changed"]
    assert max(differences(found, changed, x).values()) < 1e-5
    assert max(differences(found, model, EXAMPLES["table"]).values()) > 1e-2


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_formulas_and_nothing_is_pasted(folder, name):
    book = openpyxl.load_workbook(folder / f"{name}.xlsx")
    for layer in trace(MODELS[name][0], EXAMPLES[name]):
        cells = block(book, layer, "output").ravel().tolist()
        assert all(isinstance(cell, str) and cell.startswith("=") for cell in cells)
        # A formula refers to other cells; it is not a number in disguise.
        assert all(re.search(r"[A-Z]+\d+", cell) for cell in cells)
    stored = openpyxl.load_workbook(folder / f"{name}.xlsx", data_only=True)
    assert not any(value for value in block(stored, layer, "output").ravel())


def test_made_to_be_read(folder):
    book = openpyxl.load_workbook(folder / "table.xlsx")
    names = list(trace(MODELS["table"][0], EXAMPLES["table"]))
    assert book.sheetnames == ["overview", "input", *names, "softmax"]
    for sheet in book.worksheets:
        assert sheet.freeze_panes is not None
    takes = {row[1]: row[6] for row in book["overview"].iter_rows(values_only=True)}
    assert takes["conv4.conv"] == "conv3.relu"
    assert takes["concatenate"] == "conv1.relu, conv4.relu, conv6.relu, conv7.relu"
    page = book["conv4.conv"]
    assert "kernel(o, u, v, c)" in page["A2"].value
    assert page["B3"].hyperlink.location == "'conv3.relu'!A1"
    assert page["B4"].value.startswith("=SUMPRODUCT(MAX(ABS(")
    colours = {kind: block_colour(book, "conv4.conv", kind) for kind in ("output", "kernel", "jax")}
    assert len(set(colours.values())) == 3


def block_colour(book: Any, page: str, name: str) -> str:
    sheet, cells = next(iter(book.defined_names[range_name(page, name)].destinations))
    return book[sheet][cells.replace("$", "").split(":")[0]].fill.fgColor.rgb


def test_a_workbook_that_is_too_large_says_its_cells(tmp_path):
    model, shape = MODELS["table"]
    (tmp_path / "there.xlsx").write_text("before")
    with pytest.raises(zoo.errors.ZooError) as caught:
        workbook(model, jnp.zeros((1, *shape)), tmp_path / "there.xlsx", max_cells=100)
    message = str(caught.value)
    assert message.startswith(
        "a workbook of InceptionAGRU for an example of shape (6, 8, 2) would have "
    )
    cells = int(re.search(r"have ([\d,]+) cells, more than 100:", message)[1].replace(",", ""))
    counted = 0
    workbook(model, jnp.zeros((1, *shape)), tmp_path / "whole.xlsx")
    book = openpyxl.load_workbook(tmp_path / "whole.xlsx")
    for defined in book.defined_names.values():
        rows, columns = _extent(defined)
        counted += rows * columns
    assert cells == counted
    assert (tmp_path / "there.xlsx").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.xlsx", "whole.xlsx"]


def _extent(defined: Any) -> tuple[int, int]:
    ((_, area),) = defined.destinations
    left, top, right, bottom = openpyxl.utils.range_boundaries(area.replace("$", ""))
    return bottom - top + 1, right - left + 1


class Outside(nnx.Module):
    def __init__(self):
        self.dense = L.Dense(3, 2, rngs=RNGS)

    def __call__(self, x):
        return self.dense(x * 2)


class Begun(Chain):
    """Begins with another state than zeros."""

    def __call__(self, x):
        return self.layers[0](x, initial_state=jnp.ones((1, 3)))


class Rough(L.Layer):
    def __call__(self, x):
        return jnp.round(x)


def test_refusals(tmp_path):
    model, x = Chain(L.Dense(3, 2, rngs=RNGS)), jnp.zeros((1, 3))
    path = tmp_path / "a.xlsx"
    with zoo_error(f"path must end in .xlsx, got '{tmp_path / 'a.xls'}'."):
        workbook(model, x, tmp_path / "a.xls")
    with zoo_error("x must be a batch of one example, got shape (2, 3)."):
        workbook(model, jnp.zeros((2, 3)), path)
    with zoo_error("max_cells must be a positive integer, got 0."):
        workbook(model, x, path, max_cells=0)
    with zoo_error("classes must be 2 names, one for each logit, got 1."):
        workbook(model, x, path, classes=["a"])
    with zoo_error(
        "Outside computes outside its layers what meets dense, so there is no formula for it: let "
        "a layer do it (Reshape, Concatenate, Add, …)."
    ):
        workbook(Outside(), x, path)
    known = ", ".join(sorted(kind.__name__ for kind in WRITERS))
    with zoo_error(f"a workbook has no formulas for Rough, which Chain has; it has for {known}."):
        workbook(Chain(Rough()), x, path)
    with zoo_error(
        "a workbook has no formulas for initial_state, which layers.0 of Begun is called with."
    ):
        workbook(Begun(L.GRU(3, 3, rngs=RNGS)), x[None], path)
    with zoo_error("a sheet holds finite numbers only, got nan for input."):
        workbook(model, x * jnp.nan, path)
    with zoo_error(
        "a sheet has room for 1,048,576 × 16,384 cells, and input needs 3 × 16,384 for its input: "
        "take a smaller model or a smaller input."
    ):
        workbook(Chain(L.Flatten()), jnp.zeros((1, 3, 8192, 2)), path)
    assert not list(tmp_path.iterdir())


def test_long_and_alike_names_are_told_apart(tmp_path):
    class Named(nnx.Module):
        def __init__(self):
            self.a_very_long_name_of_a_layer_that_no_sheet_can_have = L.Dense(3, 3, rngs=RNGS)
            self.Inner, self.inner = (L.Dense(3, 3, rngs=RNGS) for _ in range(2))

        def __call__(self, x):
            long = self.a_very_long_name_of_a_layer_that_no_sheet_can_have
            return self.inner(self.Inner(long(long(x))))

    workbook(Named(), jnp.ones((1, 3)), tmp_path / "names.xlsx")
    names = openpyxl.load_workbook(tmp_path / "names.xlsx").sheetnames
    assert len({name.lower() for name in names}) == len(names) == 7
    assert max(map(len, names)) <= 31
