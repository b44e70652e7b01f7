"""Tools of other MCP servers as experts."""
