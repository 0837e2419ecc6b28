"""Server-Sent Events: one answer that goes on."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import StreamingHttpResponse
from rest_framework.renderers import BaseRenderer

MEDIA_TYPE = "text/event-stream"


class EventStream(BaseRenderer):
    """Makes `Accept: text/event-stream` something that a view can satisfy; renders only errors, as JSON."""

    media_type = MEDIA_TYPE
    format = "events"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return json.dumps(data, cls=DjangoJSONEncoder).encode()


def event_stream(events: AsyncIterator[str]) -> StreamingHttpResponse:
    """An answer of events as they come; told to proxies, which would else collect them."""
    response = StreamingHttpResponse(events, content_type=MEDIA_TYPE)
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response
