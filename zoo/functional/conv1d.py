"""One-dimensional convolution, channels last."""

from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import Array, along_last_axis, check_one_type, check_rank, check_vector
from zoo.functional.convolution import ConvParams


def conv1d(
    params: ConvParams,
    x: Array,
    *,
    strides: int = 1,
    padding: str = "valid",
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Cross-correlation of sequences with a bank of filters, as Keras's `Conv1D` computes it.

    `y[b, t, o] = bias[o] + Σ_{u,c} x[b, s·t + d·u − p, c] · kernel[u, c, o]` with stride `s` and
    dilation `d`. For `padding="same"` zeros stand around the sequence such that `T' = ⌈T / s⌉`,
    an odd one at the end; for "causal" `d·(width − 1)` zeros stand before it, so that no output
    sees a later step.

    Args:
        params: kernel `[width, in / groups, out]`, bias `[out]` or None.
        x: `[B, T, in]`.
        strides: step between windows.
        padding: "valid" (none), "same" or "causal".
        dilation: step between a window's samples.
        groups: input and output channels are cut into this many independent blocks.

    Returns:
        `[B, T', out]`.

    Raises:
        ZooError: ranks, types, channels, groups or options do not fit together, or without
            padding the sequence is shorter than the (dilated) kernel.
    """
    check_rank("x", x, 3, "[B, T, in]")
    check_rank("kernel", params.kernel, 3, "[width, in / groups, out]")
    check_one_type(x, params.kernel)
    width, in_per_group, out = params.kernel.shape
    if groups < 1 or x.shape[-1] != in_per_group * groups or out % groups:
        raise ZooError(
            f"x with {x.shape[-1]} channels, groups={groups} and a kernel of shape "
            f"{params.kernel.shape} do not fit: channels must be {in_per_group} × groups, and "
            f"the {out} filters a multiple of groups."
        )
    check_vector("bias", params.bias, out)
    for name, value in (("strides", strides), ("dilation", dilation)):
        if not isinstance(value, int) or value < 1:
            raise ZooError(f"{name} must be a positive integer, got {value!r}.")
    span = (width - 1) * dilation + 1
    if padding not in ("valid", "same", "causal"):
        raise ZooError(f"padding must be 'valid', 'same' or 'causal', got {padding!r}.")
    if padding == "valid" and x.shape[1] < span:
        raise ZooError(
            f"x must be at least as long as the kernel, dilation included, of {span} where "
            f"padding is 'valid', got shape {x.shape}."
        )
    y = lax.conv_general_dilated(
        x,
        params.kernel,
        window_strides=(strides,),
        padding=[(span - 1, 0)] if padding == "causal" else padding.upper(),
        rhs_dilation=(dilation,),
        feature_group_count=groups,
        dimension_numbers=("NWC", "WIO", "NWC"),
    )
    return y if params.bias is None else y + along_last_axis(params.bias, y.ndim)
