"""Conformance kit: does a tool keep the contract that the agent relies on?

    from secondread.testing import check_tool

    def test_my_tool_keeps_the_contract() -> None:
        check_tool(MyTool, images=["example.png"])

`check_tool` runs every check and raises one `NotConforming` that lists all that failed; `check_names()` lists them.
"""

from secondread.testing.images import sample_images
from secondread.testing.kit import check_names, check_tool
from secondread.testing.report import NotConforming, Outcome, Report

__all__ = ["NotConforming", "Outcome", "Report", "check_names", "check_tool", "sample_images"]
