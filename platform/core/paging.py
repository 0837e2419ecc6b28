"""Pages of long lists."""

from typing import Any

from rest_framework.pagination import CursorPagination


class CursorPaging(CursorPagination):
    """Pages by cursor, oldest key first unless a view says otherwise; `page_size` up to 200."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering: Any = "-id"
