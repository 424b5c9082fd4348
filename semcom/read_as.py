"""Fields whose form in users' files differs from the stored one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class MemberOf:
    """Annotates a union with further members, which are found by the content."""

    def __init__(self, find: Callable[[Any], type[BaseModel] | None]) -> None:
        """Take a function that finds the model of a content; None if it is a listed member."""
        self.find = find


class ReadAs:
    """Annotates a model that is read via another one: `Annotated[Held, ReadAs(...)]`.

    Plans, ledgers and messages keep their form, which may be old; a separate model checks what a
    user writes.
    """

    def __init__(self, written: Any, convert: Callable[[Any], Any]) -> None:
        """Read with the annotation `written`, then `convert`; an instance is kept unchanged."""
        self.written = written
        self._convert = convert

    def __get_pydantic_core_schema__(
        self, held: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return pydantic's schema: read via the other model, write the stored form."""

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
