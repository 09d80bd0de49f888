"""What a model computed, layer by layer: as a table, as arrays, as a spreadsheet of formulas."""

from zoo.explain.layer_outputs import trace
from zoo.explain.summary import LayerRow, count_parameters, layer_table, summary
from zoo.explain.workbook import workbook

__all__ = ["LayerRow", "count_parameters", "layer_table", "summary", "trace", "workbook"]
