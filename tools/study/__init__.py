"""Facts about what was handed over: studies, series, volumes."""
