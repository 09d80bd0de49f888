"""One runnable script for each report: `python -m recipes.NAME --help`."""
