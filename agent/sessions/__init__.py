"""Conversations: what was asked before, and what a later question means by it."""
