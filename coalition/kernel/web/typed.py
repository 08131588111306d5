"""Makes Litestar's typed handlers as strict about their bodies as the hot endpoints.

Litestar alone takes "5", 5.0 and 1e3 for an int. This plugin has every `data` that is a Struct
decoded by `BodyDecoder`, from JSON or MessagePack; answers stay with Litestar.
"""

from collections.abc import Generator
from typing import Any, ClassVar

import msgspec
from litestar.dto import AbstractDTO, DTOConfig
from litestar.dto._backend import DTOBackend
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.plugins import SerializationPlugin
from litestar.typing import FieldDefinition

from coalition.kernel.errors import Malformed
from coalition.kernel.web.decoding import BodyDecoder, invalid, media_of_body


class StrictBodies(SerializationPlugin):
    """Decodes the bodies of typed handlers strictly; a plugin of the application."""

    def supports_type(self, field_definition: FieldDefinition) -> bool:
        """Tell whether the type is a Struct."""
        return field_definition.is_subclass_of(msgspec.Struct)

    def create_dto_for_type(self, field_definition: FieldDefinition) -> type[AbstractDTO[Any]]:
        """Return the decoder of `data` of that type, in the shape that Litestar asks for."""
        body_type = field_definition.annotation
        members = {"body_type": body_type, "decoder": BodyDecoder(body_type)}
        return type("StrictBody", (_StrictBody,), members)


class _StrictBody(AbstractDTO[Any]):  # Any: one subclass for each type of body
    config: ClassVar[DTOConfig] = DTOConfig()
    body_type: ClassVar[Any]
    decoder: ClassVar[BodyDecoder[Any]]

    def decode_bytes(self, value: bytes) -> Any:
        content_type = self.asgi_connection.headers.get("content-type", "")
        return self.decoder.decode(value, media_of_body(content_type.encode("latin-1")))

    def decode_builtins(self, value: dict[str, Any]) -> Any:
        if not isinstance(value, dict):
            raise Malformed("The form cannot be read")
        try:
            return msgspec.convert(value, self.body_type, strict=False)
        except msgspec.ValidationError as error:
            raise invalid(error) from error

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:
        return field_definition.name == "data"

    @classmethod
    def create_for_field_definition(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,
        backend_cls: type[DTOBackend] | None = None,
    ) -> None:
        pass

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        del handler_id
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def generate_field_definitions(
        cls, model_type: type[Any]
    ) -> Generator[DTOFieldDefinition, None, None]:
        raise NotImplementedError

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        raise NotImplementedError
