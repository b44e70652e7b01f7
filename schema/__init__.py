"""What every part speaks: errors, units, records."""
