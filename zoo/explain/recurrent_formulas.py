"""SimpleRNN, LSTM and GRU as formulas, step by step, with a block for each gate.

Equations, gate orders and names are those of `zoo.functional`: a column for each step, in which
every gate is a formula of the step's input and of the state in the column before it. A step that is
masked has gates too, but keeps the state of the column before.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zoo import layers
from zoo.errors import ZooError
from zoo.explain.formulas import Writer, activation_formula, plus
from zoo.explain.sheets import Page, Place, Shape, Tensor


class _Run:
    """One direction of one recurrent layer on a page: weights, and blocks of steps."""

    def __init__(
        self,
        page: Page,
        layer: Any,
        x: Tensor,
        gates: str,
        *,
        mask: Tensor | None = None,
        prefix: str = "",
        backwards: bool = False,
    ):
        self.page, self.layer, self.x, self.mask, self.prefix = page, layer, x, mask, prefix
        self.steps = range(x.shape[0])[:: -1 if backwards else 1]
        self.units = layer.units
        params = layer.params
        columns = [f"{gate} {u}" for gate in gates for u in range(self.units)]
        inputs = [f"in {i}" for i in range(x.shape[1])]
        states = [f"h {u}" for u in range(self.units)]
        self.kernel = page.weight(f"{prefix}kernel", params.kernel, inputs, columns)
        self.recurrent_kernel = page.weight(
            f"{prefix}recurrent_kernel", params.recurrent_kernel, states, columns
        )
        self.bias: Place | None = None
        if params.bias is not None:
            rows = ["bias"] if params.bias.ndim == 1 else ["with x", "with h"]
            self.bias = page.weight(f"{prefix}bias", params.bias, rows, columns)

    def block(self, name: str, caption: str, formula: Callable[[int, int], str]) -> Tensor:
        """`formula(step, unit)` for all of them."""
        shape = (len(self.steps), self.units)
        if self.prefix:
            caption = f"{self.prefix.removesuffix('_')}: {caption}"
        return self.page.formulas("inner", self.prefix + name, shape, formula, caption)

    def before(self, state: Tensor, t: int, u: int) -> str:
        """A state's number one step earlier; nothing before the first."""
        return "" if t == self.steps[0] else state.at(t - self.steps.step, u)

    def kept(self, t: int, new: str, old: str) -> str:
        """A state's new number, or where the step is masked the old one."""
        return new if self.mask is None else f"IF({self.mask.at(t)}=0,{old or 0},{new})"

    def returned(self, h: Tensor, t: int, u: int, *, zeros: bool) -> str:
        """What the layer gives for a step; with `zeros`, nothing for a masked one."""
        return self.kept(t, h.at(t, u), "0") if zeros else h.at(t, u)

    def of_x(self, t: int, column: int) -> str:
        """`x(t) · kernel`, with the bias that goes with it."""
        weights = self.kernel.area(0, column, self.kernel.height, 1)
        product = f"SUMPRODUCT({self.x.last_axis(t)},{weights})"
        return plus(product, self.bias.cell(0, column) if self.bias else "")

    def of_h(self, states: Tensor, t: int, column: int, *, bias: bool = False) -> str:
        """`states · recurrent_kernel`, one step earlier; with the second bias where asked."""
        product = ""
        if t != self.steps[0]:
            product = self._product(states.last_axis(t - self.steps.step), column)
        return plus(product, self.bias.cell(1, column) if bias and self.bias else "")

    def _product(self, vector: str, column: int) -> str:
        weights = self.recurrent_kernel.area(0, column, self.units, 1)
        return f"SUMPRODUCT({vector},{weights})"

    def of_now(self, vector: Tensor, t: int, column: int) -> str:
        """`vector(t) · recurrent_kernel`."""
        return self._product(vector.last_axis(t), column)


def _simple_rnn(page: Page, layer: Any, x: Tensor, **options: Any) -> tuple[_Run, Tensor]:
    run = _Run(page, layer, x, "h", **options)
    page.meaning = f"h(t) = {layer.activation}(x(t) · W + h(t−1) · U + b)"
    h = run.block(
        "h",
        f"h = {layer.activation}(x·W + h·U + b)",
        lambda t, u: run.kept(
            t,
            activation_formula(layer.activation, plus(run.of_x(t, u), run.of_h(h, t, u))),
            run.before(h, t, u),
        ),
    )
    return run, h


def _lstm(page: Page, layer: Any, x: Tensor, **options: Any) -> tuple[_Run, Tensor]:
    run = _Run(page, layer, x, "ifgo", **options)
    sigma, phi = layer.recurrent_activation, layer.activation
    page.meaning = f"i, f, o = {sigma}(x·W + h·U + b), g = {phi}(…); c = f·c + i·g; h = o·{phi}(c)"

    def gate(k: int, name: str, words: str, activation: str) -> Tensor:
        return run.block(
            name,
            f"{name}, {words}: {activation}(x·W + h·U + b)",
            lambda t, u: activation_formula(
                activation,
                plus(run.of_x(t, k * run.units + u), run.of_h(h, t, k * run.units + u)),
            ),
        )

    i, f = gate(0, "i", "input gate", sigma), gate(1, "f", "forget gate", sigma)
    g, o = gate(2, "g", "candidate", phi), gate(3, "o", "output gate", sigma)

    def cell(t: int, u: int) -> str:
        old = run.before(c, t, u)
        kept = f"{f.at(t, u)}*{old}" if old else ""
        return run.kept(t, plus(kept, f"{i.at(t, u)}*{g.at(t, u)}"), old)

    c = run.block("c", "c, cell: f·c + i·g", cell)
    h = run.block(
        "h",
        f"h, output: o·{phi}(c)",
        lambda t, u: run.kept(
            t, f"{o.at(t, u)}*({activation_formula(phi, c.at(t, u))})", run.before(h, t, u)
        ),
    )
    return run, h


def _gru(page: Page, layer: Any, x: Tensor, **options: Any) -> tuple[_Run, Tensor]:
    run = _Run(page, layer, x, "zrg", **options)
    sigma, phi, after = layer.recurrent_activation, layer.activation, layer.reset_after
    inside = "r·(h·U + u)" if after else "(r·h)·U"
    page.meaning = (
        f"z, r = {sigma}(x·W + h·U + biases); g = {phi}(x·W + b + {inside}); h = z·h + (1−z)·g"
    )

    def gate(k: int, name: str, words: str) -> Tensor:
        return run.block(
            name,
            f"{name}, {words}: {sigma}(x·W + h·U + biases)",
            lambda t, u: activation_formula(
                sigma,
                plus(
                    run.of_x(t, k * run.units + u),
                    run.of_h(h, t, k * run.units + u, bias=after),
                ),
            ),
        )

    z, r = gate(0, "z", "update gate"), gate(1, "r", "reset gate")
    third = 2 * run.units
    if after:

        def inner(t: int, u: int) -> str:
            return f"{r.at(t, u)}*({run.of_h(h, t, third + u, bias=True)})"

    else:
        reset = run.block(
            "rh",
            "r·h, of the state one step earlier",
            lambda t, u: f"{r.at(t, u)}*({run.before(h, t, u) or 0})",
        )

        def inner(t: int, u: int) -> str:
            return run.of_now(reset, t, third + u)

    g = run.block(
        "g",
        f"g, candidate: {phi}(x·W + b + {inside})",
        lambda t, u: activation_formula(phi, plus(run.of_x(t, third + u), inner(t, u))),
    )

    def output(t: int, u: int) -> str:
        old = run.before(h, t, u)
        kept = f"{z.at(t, u)}*{old}" if old else ""
        return run.kept(t, plus(kept, f"(1-{z.at(t, u)})*{g.at(t, u)}"), old)

    h = run.block("h", "h, output: z·h + (1−z)·g", output)
    return run, h


_KINDS: Mapping[type[layers.Recurrent], Callable[..., tuple[_Run, Tensor]]] = {
    layers.SimpleRNN: _simple_rnn,
    layers.LSTM: _lstm,
    layers.GRU: _gru,
}


def _write_recurrent(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    _check(layer)
    x, mask = _with_mask(xs)
    run, h = _KINDS[type(layer)](page, layer, x, mask=mask, backwards=layer.go_backwards)
    page.meaning += _of_mask(mask)

    def formula(*index: int) -> str:
        *at, u = index
        t = run.steps[at[0] if at else -1]  # in the order of processing
        return run.returned(h, t, u, zeros=layer.zero_output_for_mask)

    return page.output(shape, formula)


def _write_bidirectional(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    _check(layer.forward_layer)
    _check(layer.backward_layer)
    x, mask = _with_mask(xs)
    directions = []
    for part, prefix in ((layer.forward_layer, "forward_"), (layer.backward_layer, "backward_")):
        write, backwards = _KINDS[type(part)], part is layer.backward_layer
        run, h = write(page, part, x, mask=mask, prefix=prefix, backwards=backwards)
        directions.append((run, h))
    units = layer.forward_layer.units
    page.meaning = f"both directions, joined by {layer.merge_mode}; in each {page.meaning}"
    page.meaning += _of_mask(mask)

    def half(direction: int, at: list[int], u: int) -> str:
        run, h = directions[direction]
        return run.returned(h, at[0] if at else run.steps[-1], u, zeros=bool(at))

    def formula(*index: int) -> str:
        *at, u = index
        if layer.merge_mode == "concat":
            return half(0, at, u) if u < units else half(1, at, u - units)
        one, other = half(0, at, u), half(1, at, u)
        return {
            "sum": f"{one}+{other}",
            "mul": f"{one}*{other}",
            "ave": f"({one}+{other})/2",
        }[layer.merge_mode]

    return page.output(shape, formula)


def _with_mask(xs: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    x, *masks = xs
    return x, masks[0] if masks else None


def _of_mask(mask: Tensor | None) -> str:
    return "" if mask is None else "; where the mask is 0 the state stays as it was"


def _check(layer: Any) -> None:
    if layer.return_state or type(layer) not in _KINDS:
        raise ZooError(
            f"a recurrent layer on a sheet must be a SimpleRNN, LSTM or GRU without return_state, "
            f"got {type(layer).__name__}."
        )
    for name in (layer.activation, getattr(layer, "recurrent_activation", "linear")):
        if name in ("softmax", "log_softmax"):
            raise ZooError(f"an activation of a recurrent layer cannot be {name} on a sheet.")


RECURRENT: Mapping[type[layers.Layer], Writer] = {
    **dict.fromkeys(_KINDS, _write_recurrent),
    layers.Bidirectional: _write_bidirectional,
}
