"""The agent and its tools for MCP clients."""
