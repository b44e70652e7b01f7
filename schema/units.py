"""Numbers with their unit in the type, and so in every JSON schema."""

from typing import Annotated

from pydantic import Field

Millimetres = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra={"unit": "mm"})]
Pixels = Annotated[float, Field(allow_inf_nan=False, json_schema_extra={"unit": "px"})]
Degrees = Annotated[float, Field(allow_inf_nan=False, json_schema_extra={"unit": "deg"})]
Years = Annotated[float, Field(ge=0, le=130, allow_inf_nan=False, json_schema_extra={"unit": "a"})]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, json_schema_extra={"unit": "1"})]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
