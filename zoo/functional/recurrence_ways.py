"""Which way a recurrent layer is run: the rule, and the measurements that it comes from."""

from typing import Literal

from zoo.functional._arrays import Array
from zoo.functional.fused_cells import is_by_unit
from zoo.functional.recurrence import RecurrentParams

Way = Literal["scan", "by_units", "by_rows"]


def fastest_way(params: RecurrentParams, x: Array, *activations: str) -> Way:
    if x.shape[1] == 0 or not is_by_unit(*activations):
        return "scan"
    return "by_units" if x.shape[2] + params.units <= 40 else "by_rows"
