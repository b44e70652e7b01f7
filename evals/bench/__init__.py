"""One evaluator: a reader gives items, a subject answers them, a metric scores the answers, a report shows it all."""
