"""Request bodies: decoded once, from bytes straight into their type, and strictly: `"5"` is no number, an unknown field is refused.

Litestar's own way decodes to plain values and converts those leniently; its DTO interface is the documented place to do otherwise.
"""

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from app.kernel.errors import BadRequest
from app.web.errors import body_error

if TYPE_CHECKING:
    from collections.abc import Generator

    from litestar._openapi.schema_generation import SchemaCreator

T = TypeVar("T")


class StrictBody(AbstractDTO[T]):
    """Reads the parameter `data` of a route. Used by `app.web.operation` for every route that has one."""

    _decoders: dict[str, msgspec.json.Decoder[Any]] = {}  # noqa: RUF012 - filled at start, one per route

    @classmethod
    def create_for_field_definition(cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None) -> None:
        """Make the decoder of one route, at start."""
        if field_definition.name == "data":
            cls._decoders[handler_id] = msgspec.json.Decoder(field_definition.annotation)

    def decode_bytes(self, value: bytes) -> Any:
        """The body as its type. Raises BadRequest or InvalidFields."""
        decoder = self._decoders[self.asgi_connection.route_handler.handler_id]
        try:
            return decoder.decode(value)
        except msgspec.DecodeError as error:
            raise body_error(error, decoder.type) from None
        except UnicodeDecodeError as error:
            message = f"the body is not UTF-8: byte {error.start} of a text"
            raise BadRequest(message) from None
        except RecursionError:
            message = "the body is nested too deeply"
            raise BadRequest(message) from None

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,
        schema_creator: "SchemaCreator",
    ) -> Reference | Schema:
        """The schema of the type itself."""
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> "Generator[DTOFieldDefinition, None, None]":
        """Nothing: the body is the type itself, field by field."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """Never: fields are not transferred one by one."""
        return False
