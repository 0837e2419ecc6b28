"""Pages of long lists."""

from typing import Any

from rest_framework.pagination import CursorPagination


class CursorPaging(CursorPagination):
    """Pages by cursor, oldest key first unless a view says otherwise; `page_size` up to 200."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering: Any = "-id"

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """Both addresses are always there, null at either end; the framework's own says it in words of OpenAPI 3.0."""
        address = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": address, "previous": address, "results": schema},
        }
