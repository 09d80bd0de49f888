"""Compares the predictions of a Keras file here and in Keras.

Predicts a data set's test examples with the model of a Keras file, here and, where it is installed,
with Keras itself (tf_keras for files of Keras 2), and prints what report B compared: the share of
equal predictions, the difference in macro-F1, and the largest difference in a probability.

    python -m recipes.keras_parity model.keras --dataset fashion_mnist
    python -m recipes.keras_parity model.h5 --dataset cifar10 --examples 2000 --pixels bytes
    python -m recipes.keras_parity model.keras --dataset nusax --tokenizer tokenizer.json

Takes seconds to a few minutes, by the model. Keras is not needed for our half of it.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from flax import nnx

from zoo.data import TextEncoder, load, unit_range
from zoo.errors import ZooError, check_positive, message_of
from zoo.keras import KerasModel, load_model
from zoo.keras.files import open_keras_file
from zoo.reports import classification_report

BATCH = 256


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the comparison; what a user can mend is one line on stderr and status 2."""
    options = _parser().parse_args(arguments)
    try:
        check_positive(examples=options.examples)
        compare(options.file, options.dataset, options.examples, options.pixels, options.tokenizer)
    except (ZooError, OSError) as error:
        print("error: " + " ".join(message_of(error).split()), file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recipes.keras_parity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a .keras or .h5 file")
    parser.add_argument(
        "--dataset", metavar="NAME", required=True, help="whose test examples to use"
    )
    parser.add_argument(
        "--examples", metavar="N", type=int, default=10_000, help="at most so many (10000)"
    )
    parser.add_argument(
        "--pixels",
        choices=("unit", "bytes"),
        default="unit",
        help="from 0 to 1 (the default), or from 0 to 255 for a model that scales them itself",
    )
    parser.add_argument(
        "--tokenizer",
        metavar="FILE",
        type=Path,
        help="for texts: what makes ids of them, the tokenizer.json of a run",
    )
    return parser


def compare(file: Path, dataset: str, examples: int, pixels: str, tokenizer: Path | None) -> None:
    """Prints how far our predictions and Keras's are apart."""
    model = load_model(file)
    data = load(dataset)
    labels = data.test.y[:examples]
    x = _inputs(data.test.x[:examples], data.name, pixels, tokenizer)
    ours = _probabilities(_predict_here(model, x), len(data.classes))
    our_f1 = classification_report(labels, ours.argmax(1), data.classes).macro.f1
    print(f"{file} on {len(labels):,} test examples of {data.name}")
    print(f"macro-F1 here            {our_f1:.6f}")
    keras = _keras_for(file)
    if keras is None:
        return
    theirs = _probabilities(keras(file, x), len(data.classes))
    their_f1 = classification_report(labels, theirs.argmax(1), data.classes).macro.f1
    print(f"macro-F1 in Keras        {their_f1:.6f}")
    print(f"difference in macro-F1   {abs(our_f1 - their_f1):.6f}")
    print(f"agreement of predictions {(ours.argmax(1) == theirs.argmax(1)).mean():.4f}")
    print(f"largest difference in a probability {np.abs(ours - theirs).max():.1e}")


def _inputs(x: np.ndarray, name: str, pixels: str, tokenizer: Path | None) -> np.ndarray:
    """What the model takes of images or texts."""
    if (x.ndim == 1) != (tokenizer is not None):
        kind, needs = ("texts", "a file") if x.ndim == 1 else ("images", "no file")
        raise ZooError(
            f"tokenizer must be {needs} for {name}, which has {kind}, got {tokenizer}. It is the "
            "tokenizer.json in the folder of the run that trained a model of texts."
        )
    if tokenizer is not None:
        return TextEncoder.load(tokenizer).encode(x)
    return (
        np.asarray(unit_range(jax.numpy.asarray(x))) if pixels == "unit" else x.astype(np.float32)
    )


def _predict_here(model: KerasModel, x: np.ndarray) -> np.ndarray:
    graphdef, state = nnx.split(model)
    forward = jax.jit(lambda state, x: nnx.merge(graphdef, state)(x))
    batches = (x[i : i + BATCH] for i in range(0, len(x), BATCH))
    outputs = [forward(state, batch) for batch in batches]
    if not all(isinstance(output, jax.Array) for output in outputs):
        raise ZooError("FILE must hold a model with one output, got several.")
    return np.concatenate([np.asarray(output) for output in outputs])


def _probabilities(outputs: np.ndarray, classes: int) -> np.ndarray:
    """Outputs `[N, classes]` as they are if they are probabilities, else their softmax."""
    if outputs.ndim != 2 or outputs.shape[1] != classes:
        raise ZooError(
            f"FILE must hold a model with outputs [N, {classes}] for this data set, got shape "
            f"{outputs.shape}."
        )
    if outputs.min() >= 0 and np.allclose(outputs.sum(1), 1, atol=1e-3):
        return outputs
    powers = np.exp(outputs - outputs.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _keras_for(file: Path) -> Callable[[Path, np.ndarray], np.ndarray] | None:
    """A function that predicts with the Keras that wrote a file; None, said so, without it."""
    with open_keras_file(file) as opened:
        name = "tf_keras" if opened.version < (3, 0) else "keras"
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        keras = importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed, so there is nothing to compare with: pip install {name}")
        return None

    def predict(file: Path, x: np.ndarray) -> np.ndarray:
        model = keras.models.load_model(file, compile=False)
        return np.asarray(model.predict(x, batch_size=BATCH, verbose=0))

    return predict


if __name__ == "__main__":
    sys.exit(main())
