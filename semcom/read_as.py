"""Fields that are written in another way than they are held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class MemberOf:
    """Annotates a union that has more members than are written down: found by the content."""

    def __init__(self, find: Callable[[Any], type[BaseModel] | None]) -> None:
        """Take what finds the model of a content; None where it is one that is written down."""
        self.find = find


class ReadAs:
    """Annotates a model that is read by way of another one: `Annotated[Held, ReadAs(...)]`.

    What plans, ledgers and messages hold keeps its form, and may be old; what a user writes is
    checked by a model of its own.
    """

    def __init__(self, written: Any, convert: Callable[[Any], Any]) -> None:
        """Read by `written`, an annotation, and `convert` what came of it; an instance stays."""
        self.written = written
        self._convert = convert

    def __get_pydantic_core_schema__(
        self, held: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return how pydantic reads the field, and that it writes it as it is held."""

        def read(value: Any, by_written: core_schema.ValidatorFunctionWrapHandler) -> Any:
            return value if isinstance(value, held) else self._convert(by_written(value))

        def write(value: Any, as_held: core_schema.SerializerFunctionWrapHandler) -> Any:
            return as_held(value)

        return core_schema.no_info_wrap_validator_function(
            read,
            handler.generate_schema(self.written),
            serialization=core_schema.wrap_serializer_function_ser_schema(
                write, schema=handler(held)
            ),
        )
