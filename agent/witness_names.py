"""Names of witnesses; settings refer to them and must not import what evidence is."""

from typing import Literal

Name = Literal[
    "detector_score",
    "mask_uncertainty",
    "augmentation_spread",
    "ensemble_variance",
    "sample_agreement",
    "token_log_probability",
    "retrieval_support",
    "graph_support",
]
