"""The command line, the daily batch scorer, published runs and the report."""
