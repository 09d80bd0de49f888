"""Dense products and embeddings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional.cases import zoo_error
from tests.functional.tolerances import assert_close, assert_same
from zoo.errors import ZooError


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 1, 3), (0,)], ids=str)
def test_dense(leading: tuple[int, ...], bias: bool) -> None:
    rng = np.random.default_rng(1)
    kernel, offset = rng.normal(size=(4, 5)), rng.normal(size=5)
    x = rng.normal(size=(*leading, 4))
    expected = np.zeros((*leading, 5))
    for place in np.ndindex(*expected.shape):
        expected[place] = offset[place[-1]] if bias else 0
        for i in range(4):
            expected[place] += x[(*place[:-1], i)] * kernel[i, place[-1]]
    params = F.DenseParams(jnp.asarray(kernel), jnp.asarray(offset) if bias else None)
    assert_close(F.dense(params, jnp.asarray(x)), expected)


def test_dense_errors() -> None:
    params = F.DenseParams(jnp.ones((4, 5)), jnp.ones(5))
    with zoo_error("x must have shape [..., 4] for a kernel of shape (4, 5), got shape (2, 5)."):
        F.dense(params, jnp.ones((2, 5)))
    with zoo_error("x must have shape [..., 4] for a kernel of shape (4, 5), got shape ()."):
        F.dense(params, jnp.ones(()))
    with zoo_error("kernel must have shape [in, out] (2 axes), got shape (4,)."):
        F.dense(F.DenseParams(jnp.ones(4)), jnp.ones((2, 4)))


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 5)], ids=str)
def test_dense_refuses_a_bias_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ZooError, match="bias"):
        F.dense(F.DenseParams(jnp.ones((4, 5)), jnp.ones(shape)), jnp.ones((2, 4)))


def table() -> jax.Array:
    return jnp.asarray(np.random.default_rng(2).normal(size=(300, 3)))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint32"])
def test_embedding_looks_rows_up(dtype: str) -> None:
    """Also where the table has more rows than the ids' type can count."""
    ids = np.array([[0, 5, 127], [3, 5, 0]], dtype)
    assert_same(F.embedding(table(), jnp.asarray(ids)), np.asarray(table())[ids])


@pytest.mark.parametrize("shape", [(), (0,), (2, 1, 2)], ids=str)
def test_embedding_of_any_shape(shape: tuple[int, ...]) -> None:
    ids = np.random.default_rng(3).integers(0, 300, shape)
    assert_same(F.embedding(table(), jnp.asarray(ids)), np.asarray(table())[ids])


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_embedding_out_of_range_is_nan(dtype: str, compiled: bool) -> None:
    """One before the first row and one past the last: never another word's row."""
    look_up = jax.jit(F.embedding) if compiled else F.embedding
    rows = np.asarray(
        look_up(jnp.asarray(table(), dtype), jnp.array([-1, 0, 299, 300, -300, 2**31 - 1]))
    )
    np.testing.assert_array_equal(
        np.isnan(rows.astype(float)).all(1), [True, False, False, True, True, True]
    )
    assert np.isfinite(rows[[1, 2]].astype(float)).all()
    small = np.asarray(look_up(jnp.asarray(table(), dtype)[:5], jnp.array([255, 4], jnp.uint8)))
    np.testing.assert_array_equal(np.isnan(small.astype(float)).all(1), [True, False])


def test_embedding_gradient_goes_to_the_rows_that_were_read() -> None:
    weights = np.random.default_rng(4).normal(size=(4, 3))
    ids = np.array([7, 2, 7, 300])
    actual = jax.grad(lambda t: jnp.nansum(F.embedding(t, jnp.asarray(ids)) * weights))(table())
    expected = np.zeros((300, 3))
    for weight, row in zip(weights[:3], ids[:3], strict=True):
        expected[row] += weight
    assert_close(actual, expected)


def test_embedding_errors() -> None:
    with zoo_error("ids must be integers, got dtype float64."):
        F.embedding(table(), jnp.array([1.0]))
    with zoo_error("ids must be integers, got dtype bool."):
        F.embedding(table(), jnp.array([True]))
    with zoo_error("table must have shape [vocabulary, dim] (2 axes), got shape (300,)."):
        F.embedding(table()[:, 0], jnp.array([1]))


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 4), (3, 0)], ids=str)
def test_embedding_bag(shape: tuple[int, ...]) -> None:
    """By its definition, a bag at a time; padding is anywhere, and a bag may be nothing else."""
    rng = np.random.default_rng(4)
    ids = rng.integers(0, 300, shape) * (rng.uniform(size=shape) < 0.6)
    expected = np.zeros((*shape[:-1], 3))
    for place in np.ndindex(*shape[:-1]):
        bag = [i for i in ids[place] if i != 0]
        for i in bag:
            expected[place] += np.asarray(table())[i] / np.sqrt(len(bag))
    assert_close(F.embedding_bag(table(), jnp.asarray(ids)), expected)


def test_embedding_bag_leaves_the_padding_s_row_alone() -> None:
    ids = jnp.asarray([[3, 0, 0], [0, 0, 0]])
    gradient = jax.grad(lambda t: F.embedding_bag(t, ids).sum())(table())
    assert np.isfinite(gradient).all()
    assert_close(gradient[3], np.ones(3))
    assert not np.asarray(gradient)[[0, 1, 2]].any()
    beyond = F.embedding_bag(table().at[0].set(jnp.nan), ids)
    assert np.isfinite(beyond).all()


def test_embedding_bag_errors() -> None:
    with zoo_error("ids must have shape [..., n], got shape ()."):
        F.embedding_bag(table(), jnp.asarray(3))
    with zoo_error("ids must be integers, got dtype float32."):
        F.embedding_bag(table(), jnp.ones((2, 3), jnp.float32))
    assert np.isnan(F.embedding_bag(table(), jnp.asarray([1, 300]))).all()
