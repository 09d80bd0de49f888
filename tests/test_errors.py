"""The errors that a user can mend."""

import sys

import pytest

from zoo.errors import MissingExtraError, ZooError, check_positive, require, unknown_name


def test_what_the_errors_are():
    assert issubclass(ZooError, ValueError)
    assert issubclass(MissingExtraError, ZooError)
    assert issubclass(MissingExtraError, ImportError)


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        (
            "fashoin_mnist",
            ["mnist", "fashion_mnist", "cifar10"],
            "unknown data set 'fashoin_mnist': did you mean 'fashion_mnist' or 'mnist'? Known: "
            "cifar10, fashion_mnist, mnist.",
        ),
        ("xyz", ["b", "a"], "unknown data set 'xyz'. Known: a, b."),
        ("xyz", [], "unknown data set 'xyz'. Known: none."),
    ],
)
def test_unknown_name(name, known, message):
    error = unknown_name("data set", name, iter(known))
    assert isinstance(error, ZooError)
    assert str(error) == message


def test_require_gives_the_module():
    import json.decoder

    assert require("json.decoder", "data") is json.decoder


def test_a_missing_library_is_named_with_its_extra():
    with pytest.raises(MissingExtraError) as error:
        require("no_such_library.part", "data")
    assert str(error.value) == (
        "'no_such_library.part' is needed here and is not installed: run pip install 'zoo[data]' "
        "(from a checkout: pip install -e '.[data]')."
    )
    assert isinstance(error.value.__cause__, ModuleNotFoundError)


def test_what_a_library_itself_misses_is_not_taken_for_its_absence(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("import another_that_is_missing")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="another_that_is_missing") as error:
        require("broken_library", "data")
    assert not isinstance(error.value, ZooError)


def test_a_library_that_is_blocked_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "json.tool", None)
    with pytest.raises(MissingExtraError, match=r"'json\.tool' is needed here"):
        require("json.tool", "data")


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None])
def test_check_positive(value):
    check_positive(one=1, many=10**9)
    with pytest.raises(ZooError) as error:
        check_positive(one=1, units=value)
    assert str(error.value) == f"units must be a positive integer, got {value!r}."
