"""Command line, MCP server and batch."""
