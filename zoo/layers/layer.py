"""What all layers have in common."""

from flax import nnx


class Layer(nnx.Module):
    """A module that holds parameters and calls functions of `zoo.functional`.

    Layers are the rows of `zoo.summary` and the stations of `zoo.explain`.
    """
