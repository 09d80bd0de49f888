"""What a model computed, layer by layer."""

from zoo.explain.summary import LayerRow, count_parameters, layer_table, summary

__all__ = ["LayerRow", "count_parameters", "layer_table", "summary"]
