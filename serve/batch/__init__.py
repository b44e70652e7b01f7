"""The same questions about many studies: found, asked about by an engine, recorded once, told in tables and pages."""
