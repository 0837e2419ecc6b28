"""What comes in: a body of known keys. A misspelt key that was silently lost would be an order that nobody gave."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

#: What a browser's form adds to every post.
FORM_FIELD = "csrfmiddlewaretoken"


class Body(serializers.Serializer[Any]):
    """The body of a request; a key that it does not know is refused with the keys that it does."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            strange = {str(key) for key in data} - set(self.fields)
            if isinstance(data, QueryDict):
                strange.discard(FORM_FIELD)
            if strange:
                known = ", ".join(sorted(self.fields)) or "none"
                raise serializers.ValidationError(
                    {key: [f"There is no such field; there are: {known}."] for key in sorted(strange)[:10]}
                )
        return super().to_internal_value(data)
